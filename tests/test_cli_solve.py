"""solve and verify-solution on the command line."""

import io
import json
import re
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from compoundnet import MEMBERS, Network, Scaling, cost, named, scale
from compoundnet.budget import beside
from compoundnet.cli.limits import given_ranges, print_ranges, ranges_for
from compoundnet.cli.output import brief
from compoundnet.cli.solutions import percent
from compoundnet.cli.sources import read
from compoundnet.cli.units import count, size
from compoundnet.solving.ranges import FEWEST_SIDES, MOST_UNASKED, Ranges, axes, coarsened, sides
from tests.commands import Run, answer, names, run

__all__ = ["run"]  # a fixture

SMALL = ("--width", "0.5:1.5", "--depth", "0.5:2", "--sides", "64:128:32")


def solved(run: Run, *more: str) -> dict[str, Any]:
    return answer(run, "solve", "mobilenet_v2", "--max-macs", "60M", "--max-params", "3M", *SMALL, *more)


def test_the_json_says_what_was_found_in_what_and_how(run: Run) -> None:
    data = solved(run)
    network = Network.from_dict(data["network"])
    assert network == scale(named("mobilenet_v2"), Scaling(**data["scaling"]), MEMBERS["mobilenet_v2"].rounding)
    assert data["cost"] == cost(network).to_dict()
    assert data["cost"]["macs"] <= 60_000_000
    assert data["cost"]["params"] <= 3_000_000
    assert (data["budget"]["macs"], data["budget"]["params"]) == (60_000_000, 3_000_000)
    assert set(data["active_limits"]) <= {"macs", "params"}
    assert data["enumerated"] > data["admissible"] > 1 + len(data["runners_up"])
    assert data["certificate"]["objective"] == "accuracy"


def test_a_solution_is_a_network_for_every_other_command_and_can_be_proved(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "net.json"
    data = solved(run, "--out", str(out))
    assert answer(run, "cost", out)["macs"] == data["cost"]["macs"]
    code, text, err = run("verify-solution", out)
    assert (code, err) == (0, "")
    assert text.startswith(
        f"Proved: the best of {data['admissible']:,} admissible of {data['enumerated']:,} networks; "
    )
    best, costs = data["scaling"], data["cost"]
    assert text.splitlines()[1:] == [
        f"Network: mobilenet_v2 d {best['depth']:g}, w {best['width']:g}, {data['network']['resolution']} x "
        f"{data['network']['resolution']}.",
        f"Costs: {costs['macs']:,} macs, {costs['params']:,} params, {costs['activations']:,} activations.",
        "Limits: 60,000,000 macs, 3,000,000 params.",
        "In range: d 0.5 to 2, w 0.5 to 1.5, sides 64 to 128 by 32.",
        "Accuracy law: mobilenet_v2; factors relative to the base that was scaled.",
    ]
    found = answer(run, "verify-solution", out)
    assert (found["holds"], found["enumerated"], found["problem"]) == (True, data["enumerated"], "")
    assert (found["budget"], found["law"]) == (data["budget"], {"group": "mobilenet_v2", "own": []})
    assert all(found[key] == data[key] for key in ("network", "scaling", "cost"))


@pytest.mark.slow
def test_a_proof_says_under_which_law_limits_and_device_it_holds(run: Run, tmp_path: Path) -> None:
    """Whoever is shown a proof sees own points, which make any accuracy, and how the limits were counted."""
    out, own = tmp_path / "net.json", tmp_path / "own.csv"
    own.write_text("depth,width,resolution,macs,top1\n1,1,224,300774272,99.0\n")
    limits = ("--max-training-memory", "4GB", "--batch", "8", "--optimizer", "sgd", "--max-latency", "9ms")
    given = ("--device", "roofline:40:10", "--points", own, "--out", out)
    assert run("solve", "mobilenet_v2", *limits, *given, *SMALL)[0] == 0
    lines = run("verify-solution", out)[1].splitlines()
    costs = json.loads(out.read_text())["cost"]
    assert f" activations, {costs['training_memory_bytes']:,} bytes of training memory, " in lines[2]
    assert lines[2].endswith(" ms of latency.")
    assert lines[3:] == [
        "Limits: 4,000,000,000 bytes of training memory (batch 8, sgd), 9 ms of latency.",
        "In range: d 0.5 to 2, w 0.5 to 1.5, sides 64 to 128 by 32.",
        "Accuracy law: mobilenet_v2, with 1 own point; factors relative to the base that was scaled.",
        "Latency: roofline of 40 GMAC/s and 10 GB/s, batch 1, 1 thread.",
    ]
    asked = json.loads(run("verify-solution", out, "--json")[1])
    assert asked["law"]["own"] == [[1.0, 1.0, 224.0, 300774272.0, 99.0]]


def test_a_solution_that_was_changed_is_not_proved(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "net.json"
    data = solved(run, "--out", str(out))
    data["cost"]["macs"] -= 1000
    out.write_text(json.dumps(data))
    code, text, err = run("verify-solution", out)
    assert (code, text) == (1, "")
    assert err.startswith(f"compoundnet: error: {out}: not proved: cost.macs: the file says ")
    assert answer_of_failure(run, out)["holds"] is False
    out.write_text("[]")
    assert run("verify-solution", out)[0] == 2


def answer_of_failure(run: Run, out: Path) -> dict[str, Any]:
    code, text, _ = run("verify-solution", out, "--json")
    assert code == 1
    return json.loads(text)


def test_the_table_shows_what_was_asked_and_what_was_got(run: Run) -> None:
    code, text, err = run("solve", "mobilenet_v2", "--max-memory", "20MB", *SMALL)
    assert (code, err) == (0, "")
    data = answer(run, "solve", "mobilenet_v2", "--max-memory", "20MB", *SMALL)
    needed = 4 * (data["cost"]["params"] + data["cost"]["peak_activations"])
    share = needed * 10_000 // 20_000_000 / 100
    assert f"memory (bytes, float32)  20,000,000  {needed:,}  {share:.2f} %" in text
    assert "limited by memory." in text


def test_where_nothing_limits_the_side_of_the_input_that_is_said(run: Run) -> None:
    """By accuracy it is as large as the law's data, by a rule whatever its ray has; neither is what was limited."""
    note = "The side of the input costs no parameters; limit the multiply-adds too, or hold it: --sides 224."
    assert note in run("solve", "mobilenet_v2", "--max-params", "3M", *SMALL)[1].splitlines()
    assert note not in run("solve", "mobilenet_v2", "--max-params", "3M", "--max-macs", "60M", *SMALL)[1]


def test_a_file_can_be_limited_and_its_limit_proved(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "net.json"
    data = answer(run, "solve", "mobilenet_v2", "--max-file-size", "8MB", "--dtype", "float16", *SMALL, "--out", out)
    assert (data["budget"]["file_size"], data["budget"]["dtype"]) == (8_000_000, "float16")
    assert data["active_limits"] == ["file_size"]
    assert data["cost"]["params"] < 4_000_000
    assert answer(run, "verify-solution", out)["holds"] is True


@pytest.mark.slow
def test_a_curve_and_own_exponents_are_objectives_that_can_be_proved(run: Run, tmp_path: Path) -> None:
    for name in ("tinynet", "custom:0.4,0.2,0.1"):
        out = tmp_path / "net.json"
        data = solved(run, "--objective", f"rule:{name}", "--out", str(out))
        assert data["certificate"]["objective"] == f"rule:{name}"
        assert answer(run, "verify-solution", out)["holds"] is True


def test_one_number_holds_a_dimension(run: Run) -> None:
    given = ("--max-params", "3M", "--sides", "224", "--width", "1")
    data = answer(run, "solve", "mobilenet_v2", *given)
    assert (data["network"]["resolution"], data["scaling"]["width"]) == (224, 1.0)


def test_a_range_that_ends_before_the_budget_is_said(run: Run) -> None:
    code, text, _ = run("solve", "mobilenet_v2", "--max-macs", "1000G", *SMALL)
    assert code == 0
    assert "the range ends before the budget does: widen --depth, --width or --sides." in text
    assert answer(run, "solve", "mobilenet_v2", "--max-macs", "1000G", *SMALL)["active_limits"] == []


def test_why_the_best_by_accuracy_uses_little_of_a_budget_is_said(run: Run) -> None:
    """Networks outside the law's data come after all others, however large the budget."""
    given = ("solve", "efficientnet_b0", "--max-macs", "100G", "--width", "1:2.5", "--sides", "224:640:52")
    code, text, _ = run(*given)
    assert code == 0
    assert "would be predicted above it, but outside the data of the accuracy law" in text
    assert "--objective rule:NAME uses the budget" in text
    assert "outside the data of the accuracy law" not in run(*given, "--objective", "rule:efficientnet")[1]


def test_a_budget_that_cannot_be_kept_leaves_no_file(run: Run, tmp_path: Path) -> None:
    code, text, err = run("solve", "mobilenet_v2", "--max-macs", "1k", *SMALL, "--out", tmp_path / "net.json")
    assert (code, text) == (2, "")
    assert "macs, the limit is 1,000" in err
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("text", "value"), [("1", 1), ("300M", 300_000_000), ("1.8G", 1_800_000_000), ("2.5k", 2500), ("1 T", 10**12)]
)
def test_counts_are_exact(text: str, value: int) -> None:
    assert count(text, "--max-macs") == value


@pytest.mark.parametrize(("text", "value"), [("64MB", 64_000_000), ("64MiB", 2**26), ("0.5KiB", 512), ("7B", 7)])
def test_sizes_are_exact(text: str, value: int) -> None:
    assert size(text, "--max-memory") == value


@pytest.mark.parametrize("text", ["", "G", "1e9", "1,000", "-1M", "1.5", "nan", "0M", "\u0661M", "1.0000000001G"])
def test_what_is_no_whole_count_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="--max-macs: "):
        count(text, "--max-macs")


@pytest.mark.parametrize(
    ("argv", "problem"),
    [
        (
            "",
            "no limit; give one or more of --max-macs, --max-params, --max-activations, --max-memory, "
            "--max-training-memory, --max-file-size, --max-latency",
        ),
        ("--max-macs 5B", "--max-macs: '5B': the unit 'B' is not one of k, M, G, T"),
        ("--max-macs=-5M", "--max-macs: '-5M' is not above zero; give a count such as 300M or 1.8G"),
        ("--max-macs 0.5", "--max-macs: '0.5' is not a whole number of at least 1"),
        ("--max-memory 64", "--max-memory: '64': the unit is missing; give one of B, kB, MB"),
        ("--max-memory 64mb", "--max-memory: '64mb': the unit 'mb' is not one of B, kB, MB"),
        ("--max-file-size 20", "--max-file-size: '20': the unit is missing; give one of B, kB, MB"),
        ("--max-file-size 9MB --dtype int8", "dtype: save writes no file in int8; limit its size in float32"),
        ("--max-macs 10", "budget: none of"),
        ("--max-macs 1G --objective exact", "--objective: 'exact' is neither accuracy nor rule:NAME"),
        ("--max-macs 1G --objective rule:dwx", "unknown rule 'dwx'; did you mean dwr"),
        ("--max-macs 1G --objective rule:custom:1,2", "rule 'custom:1,2': write it as custom:0.4,0.2,0.1: exponents"),
        ("--max-macs 1G --objective rule:custom:0,0,0", "rule 'custom:0,0,0': scaling: a rule must scale something"),
        ("--max-macs 1G --width 1:2:3", "--width: '1:2:3' is not 2 numbers such as 0.5:2, or one"),
        ("--max-macs 1G --width 2:1", "width: from 2 to 1 is an empty range"),
        ("--max-macs 1G --sides 64:128:0", "--sides: '64:128:0' are not whole numbers of pixels"),
        ("--max-macs 1G --sides inf:640:8", "--sides: 'inf:640:8' is not 3 numbers such as 96:640:4"),
        ("--max-macs 1G --sides 1:100000000:1", "--sides: '1:100000000:1': 1e+08 is not between 1 and 8,192 pixels"),
        ("--max-macs 1G --sides 96:8000:1", "--sides: '96:8000:1' are 7,905 sides; at most 2,048, take a larger step"),
        ("--max-macs 1G --depth -1:1", "depth: -1.0 is not a positive number up to 64"),
        ("--max-macs -5M", "--max-macs: '-5M' is not above zero; give a count such as 300M or 1.8G"),
        ("--max-macs", "--max-macs: the value is missing; give it after the option, or see --help"),
        ("resnet18 --max-macs 1G", "'resnet18' is one too many: solve takes one NET; leave it out"),
        (
            "--max-macs 1G --objective elastic:1:2:3",
            "--objective: 'elastic:1:2:3' judges single stages; add --per-stage",
        ),
        (
            "--max-macs 1G --objective rule:dwr:1",
            "--objective: 'rule:dwr:1' has a phi, which is for single stages; add",
        ),
        (
            "--max-macs 1G --objective dwr",
            "--objective: 'dwr' is neither accuracy nor rule:NAME, such as rule:efficientnet; did",
        ),
        (
            "--max-latency 0.05ms --device roofline:40:10 --sides 64",
            "budget: none of 548 networks fits; the nearest (d 1, w 0.25, 64 pixels) needs 0.2982 ms of latency",
        ),
        ("--max-macs 1G --width 0.25:100000", "width: 100000"),
        ("--max-macs 1G --batch 0", "batch: 0 is not a whole number of at least 1"),
    ],
)
def test_a_mistake_is_one_clear_line_and_exit_code_2(run: Run, argv: str, problem: str) -> None:
    code, out, err = run("solve", "tiny", *argv.split())
    assert (code, out) == (2, "")
    assert err.startswith(f"compoundnet: error: {problem}")
    assert err.count("\n") == 1


@pytest.mark.parametrize("name", MEMBERS)
def test_the_default_range_of_every_preset_can_be_counted(name: str) -> None:
    """One pair of factors each: how many widths, depths and sides there are is all that decides."""
    member, usual = MEMBERS[name], Ranges()
    ranges = coarsened(member.network, member.rounding)
    wide, deep = axes(member.network, member.rounding, ranges)
    taken = sides(member.network, member.rounding, ranges.sides)
    pairs, [step] = len(wide.values) * len(deep.values), {b - a for a, b in pairwise(ranges.sides[:-1])}
    assert len(taken) >= FEWEST_SIDES
    assert pairs * len(taken) <= MOST_UNASKED
    finer = {*range(96, 641, max(4, step - 4)), 640, *({member.network.resolution} & {*taken})}
    assert step == 4 or pairs * len(finer) > MOST_UNASKED  # no smaller step would do
    assert (ranges.sides[0], ranges.sides[-1]) == (96, 640)
    assert ranges.sides[-1] - ranges.sides[-2] <= step
    many = {f"efficientnet_{each}" for each in ("b5", "b6", "b7", "b8", "l2", "l2_475")} | {"resnet101", "resnet152"}
    assert (ranges == usual) == (name not in many)
    assert member.network.resolution in taken or member.network.resolution not in range(96, 641)


@pytest.mark.parametrize(
    ("depth", "width", "found"),
    [("0.25:16", "0.25:4", 17), ("0.25:8", "0.25:4", 17), ("0.25:6", "0.25:2.5", 24)],
)
def test_wider_ranges_keep_at_least_16_sides_and_both_ends(depth: str, width: str, found: int) -> None:
    source = read("resnet152")
    ranges = ranges_for(source, depth, width, None)
    assert len(ranges.sides) == found
    assert (ranges.sides[0], ranges.sides[-1]) == (96, 640)


def test_ranges_that_leave_no_choice_of_sides_are_refused_and_told_what_to_narrow(run: Run) -> None:
    wide = ("--depth", "0.25:16", "--width", "0.25:8")
    code, out, err = run("solve", "resnet152", "--max-macs", "1G", *wide)
    assert (code, out) == (2, "")
    assert "networks with 17 sides; at most 20,000,000: narrow --depth or --width, or give fewer --sides\n" in err


def test_the_last_side_is_said_where_the_step_leaves_it_out() -> None:
    assert str(Ranges(sides=(96, 108, 112))).endswith("sides 96 to 108 by 12, and 112")
    assert str(Ranges(sides=(96, 108, 130))).endswith("3 sides from 96 to 130")
    assert str(Ranges(sides=(96, 108))).endswith("sides 96 to 108 by 12")


@pytest.mark.parametrize(
    ("own", "given", "said"),
    [
        (70, "96:128:4", "which is not in range; try --sides 38:134:8."),
        (5000, "96:128:4", "which is not in range; try --sides 2500:8125:625."),
        (8192, "96:128:4", "which is not in range; try --sides 4096:8192:1024."),
        (9000, "96:128:4", "which is not in range; ranges end at 8,192."),
        (70, "64:80:8", "In range: d 1, w 1, sides 64 to 80 by 8, and its own, 70."),
        (72, "64:80:8", "In range: d 1, w 1, sides 64 to 80 by 8."),
    ],
)
def test_a_network_outside_the_range_is_told_how_to_be_inside(
    own: int, given: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny = read("tiny")
    source = replace(tiny, network=replace(tiny.network, resolution=own))
    print_ranges(source, given_ranges("1", "1", given), given)
    out = capsys.readouterr().out
    assert said in out
    if remedy := re.search(r"--sides (\S+)\.\n", out):
        assert own in given_ranges("1", "1", remedy[1]).sides


def test_fewer_sides_are_said_and_proved(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a smaller limit, so that the test is quick; resnet152 takes ten seconds."""
    for module in ("ranges", "surface"):  # solving.surface is the function too
        monkeypatch.setattr(sys.modules[f"compoundnet.solving.{module}"], "MOST_NETWORKS", 20_000)
    monkeypatch.setattr(sys.modules["compoundnet.solving.ranges"], "MOST_UNASKED", 20_000)
    out = tmp_path / "net.json"
    code, text, err = run("solve", "tiny", "--max-macs", "60M", "--out", out)
    assert (code, err) == (0, "")
    said = "In range: d 0.25 to 4, w 0.25 to 2.5, sides 96 to 640 by 16"
    assert f"{said}; by 4 there would be more than 20,000 networks, --sides sets others.\n" in text
    assert "tiny itself has 32 x 32 pixels, which is not in range; try --sides 32:64:4.\n" in text
    assert json.loads(out.read_text())["certificate"]["ranges"]["sides"] == list(range(96, 641, 16))
    code, text, _ = run("verify-solution", out)
    assert code == 0
    assert f"{said}.\n" in text
    assert f"{said};" in run("pareto", "tiny", "--rows", "2")[1]
    code, _, err = run("solve", "tiny", "--max-macs", "60M", "--sides", "96:640:4")
    assert code == 2
    assert "at most 20,000: narrow the ranges, or take fewer sides" in err


def test_a_last_side_beside_the_step_is_enumerated_and_proved(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["compoundnet.solving.ranges"], "MOST_UNASKED", 26_000)
    out = tmp_path / "net.json"
    said = "sides 96 to 636 by 12, and 640"
    assert said in run("solve", "tiny", "--max-macs", "60M", "--out", out)[1]
    assert json.loads(out.read_text())["certificate"]["ranges"]["sides"] == [*range(96, 637, 12), 640]
    code, text, _ = run("verify-solution", out)
    assert code == 0
    assert f"of {548 * 47:,} networks" in text
    assert f"{said}.\n" in text


def test_a_share_is_never_rounded_up_to_the_limit() -> None:
    assert [percent(share) for share in (0.99995, 1 - 1e-12, 1.0, 0.57, 0.28)] == [
        *["99.99 %", "99.99 %", "100.00 %", "57.00 %", "28.00 %"]
    ]


def test_what_is_got_never_reads_as_the_limit_it_does_not_reach() -> None:
    assert [beside(value, 30.0) for value in (8.98405, 29.99996, 30.0, 30.00001)] == [
        *["8.984", "29.99996", "30", "30.00001"]
    ]


def test_scores_say_what_they_are(run: Run) -> None:
    assert "Of the budget  Predicted top-1 (%)\n" in run("solve", "tiny", "--max-macs", "60M", *SMALL)[1]
    by_rule = run("solve", "tiny", "--max-macs", "60M", "--objective", "rule:dwr", *SMALL)[1]
    assert "Of the budget  Distance from the rule\n" in by_rule


def test_names_of_objectives_have_sensible_digits() -> None:
    assert brief("rule:efficientnet:-1.0630000000000002") == "rule:efficientnet:-1.063"
    assert brief("elastic:0.3:0.4:0.5:activations") == "elastic:0.3:0.4:0.5:activations"


@pytest.mark.slow
def test_a_solution_comes_through_a_pipe(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = json.dumps(solved(run))
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    assert run("verify-solution", "-")[1].startswith("Proved: ")
    monkeypatch.setattr("sys.stdin", io.StringIO(text.replace('"use"', '"used"')))
    code, _, err = run("verify-solution", "-")
    assert (code, err) == (
        1,
        "compoundnet: error: standard input: not proved: use: missing, "
        f"enumeration finds {json.loads(text)['use']!r}\n",
    )
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert run("verify-solution", "-")[2].endswith("empty; a solution is a JSON object, as solve writes it\n")


def test_a_network_given_as_a_device_is_said_to_be_none(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    path.write_text(json.dumps(named("tiny").to_dict()))
    code, _, err = run("solve", "tiny", "--max-latency", "3ms", "--device", path)
    what = (
        "no device, but an object with version, stem, stages, head; a device is what calibrate writes, with its prices"
    )
    assert (code, err) == (2, f"compoundnet: error: {path}: {what}\n")
