"""solve --per-stage and the proof of what it wrote, on the command line."""

import json
from pathlib import Path
from typing import Any

import pytest

from compoundnet import Network, cost, named
from tests.commands import Run, answer, names, run

__all__ = ["run"]  # a fixture

LAW = ("--objective", "elastic:0.3:0.4:0.5")
SMALL = ("--per-stage", "--width", "0.75:1.25", "--depth", "1:2", "--sides", "64:96:32")


def solved(run: Run, *more: str) -> dict[str, Any]:
    return answer(run, "solve", "tiny", "--max-macs", "12M", "--max-params", "450k", *SMALL, *LAW, *more)


def test_the_json_has_the_contract_of_solve_with_a_factor_for_every_stage(run: Run) -> None:
    data, base = solved(run), named("tiny")
    network = Network.from_dict(data["network"])
    assert data["cost"] == cost(network).to_dict()
    assert data["cost"]["macs"] <= 12_000_000
    assert data["cost"]["params"] <= 450_000
    assert data["use"] == max(data["cost"]["macs"] / 12_000_000, data["cost"]["params"] / 450_000)
    for name, of in (("depth", "layers"), ("width", "channels")):
        pairs = zip(network.stages, base.stages, strict=True)
        assert data["scaling"][name] == [getattr(stage, of) / getattr(was, of) for stage, was in pairs]
    assert data["scaling"]["resolution"] == network.resolution / base.resolution
    assert set(data["active_limits"]) <= {"macs", "params"}
    assert data["enumerated"] > 1000
    assert data["certificate"]["kind"] == "per_stage"
    assert data["certificate"]["objective"] == "elastic:0.3:0.4:0.5:activations"


def test_the_network_is_one_for_every_other_command_and_can_be_proved(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "net.json"
    data = solved(run, "--out", str(out))
    assert answer(run, "cost", out)["macs"] == data["cost"]["macs"]
    code, text, _ = run("verify-solution", out)
    assert code == 0
    assert text.startswith(f"Proved: the best of {data['enumerated']:,} networks; ")
    side, macs = data["network"]["resolution"], data["cost"]["macs"]
    assert text.splitlines()[1] == f"Network: tiny per stage, {side} x {side}."
    assert text.splitlines()[2].startswith(f"Costs: {macs:,} macs, ")
    found = answer(run, "verify-solution", out)
    assert (found["holds"], found["enumerated"], found["admissible"]) == (True, data["enumerated"], None)
    data["network"]["stages"][0]["layers"] += 1
    out.write_text(json.dumps(data))
    code, text, err = run("verify-solution", out)
    assert (code, text) == (1, "")
    assert err.splitlines()[-1].startswith(f"compoundnet: error: {out}: not proved: ")


def test_the_table_shows_every_stage_before_and_after(run: Run) -> None:
    data = solved(run)
    given = ("--max-macs", "12M", "--max-params", "450k", *SMALL, *LAW)
    code, text, err = run("solve", "tiny", *given)
    assert (code, err) == (0, "")
    lines = [line.split() for line in text.splitlines()]
    base = named("tiny")
    for was, stage in zip(base.stages, data["network"]["stages"], strict=True):
        sizes = [str(was.channels), str(stage["channels"]), str(was.layers), str(stage["layers"])]
        assert any(line[-4:] == sizes for line in lines), sizes
    assert (
        f"The best of {data['enumerated']:,} networks by elastic:0.3:0.4:0.5:activations (log error falls by " in text
    )


def test_latency_is_a_limit_too_and_the_accuracy_is_foreseen_but_not_trusted(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "net.json"
    given = ("--max-latency", "1ms", "--device", "roofline:40:10", *SMALL, *LAW)
    data = answer(run, "solve", "tiny", *given, "--out", out)
    assert data["cost"]["latency_ms"] <= 1
    assert data["active_limits"] == ["latency_ms"]
    assert data["predicted_top1"]["outside"] is True
    text = run("solve", "tiny", *given)[1]
    assert "(law: efficientnet); the law sees mean depth and width" in text
    assert "Latency: roofline of 40 GMAC/s and 10 GB/s, batch 1, 1 thread." in text
    code, text, _ = run("verify-solution", out)
    assert code == 0
    assert "Limits: 1 ms of latency." in text


@pytest.mark.slow
def test_the_default_is_the_direction_of_the_papers_rule(run: Run) -> None:
    data = answer(run, "solve", "tiny", "--max-macs", "12M", *SMALL)
    assert data["certificate"]["objective"].startswith("rule:efficientnet:")


def test_an_impossible_budget_leaves_no_file(run: Run, tmp_path: Path) -> None:
    code, text, err = run("solve", "tiny", "--max-macs", "1k", *SMALL, *LAW, "--out", tmp_path / "net.json")
    assert (code, text) == (2, "")
    assert "networks fits; the least that any needs is" in err
    assert "macs, the limit is 1,000" in err
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("argv", "problem"),
    [
        ("", "no limit; give one or more of --max-macs"),
        ("--max-macs 1G --objective accuracy", "--objective: accuracy judges whole networks, not single stages"),
        ("--max-macs 1G --objective rule:dwx", "--objective: unknown rule 'dwx'; did you mean dwr"),
        ("--max-macs 1G --objective rule:dwr:far", "--objective: 'rule:dwr:far': 'far' is not a number"),
        ("--max-macs 1G --objective rule:dwr:99", "--objective: phi: 99.0 is not a number within 16"),
        ("--max-macs 1G --objective function:mine", "--objective: 'function:mine' is neither rule:NAME nor elastic"),
        ("--max-macs 1G --objective elastic:1:2", "--objective: 'elastic:1:2' is not elastic:DEPTH:WIDTH:RESOLUTION"),
        ("--max-macs 1G --objective elastic:1:2:-3", "--objective: resolution: -3.0 is not an elasticity"),
        ("--max-macs 1G --objective elastic:1:2:nan", "--objective: resolution: nan is not an elasticity"),
        (
            "--max-macs 1G --objective elastic:1:2:3:half",
            "--objective: shares: 'half' is not one of",
        ),
        ("--max-macs 1G --width 2:1", "width: from 2 to 1 is an empty range"),
        ("--max-macs 1G --width 1:9", "width: 9.0 is not a positive number up to 8"),
        ("--max-macs 1G --sides 4:64:4", "sides: 4 is below the total stride"),
        ("--max-macs 1G --sides 64:2000:2", "sides: 969 to choose from; at most 128"),
    ],
)
def test_a_mistake_is_one_clear_line_and_exit_code_2(run: Run, argv: str, problem: str) -> None:
    code, out, err = run("solve", "tiny", "--per-stage", *argv.split())
    assert (code, out) == (2, "")
    assert err.startswith(f"compoundnet: error: {problem}")
    assert err.count("\n") == 1
