"""search space says what a space holds and how often its limits are met; each mistake is one line."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from compoundnet import Network, cost, named
from compoundnet.search import Decision, per_stage

from .commands import Run, answer, run
from .designs import design

__all__ = ["run"]  # the fixture


def test_the_command_says_what_a_space_holds(run: Run, tmp_path: Any) -> None:
    path = tmp_path / "space.json"
    asked = ("search", "space", "per_stage", "--base", "tiny", "--limit", "macs=1.2M,params=2M", "--draws", "50")
    found = answer(run, *asked, "--save", path)
    tiny = per_stage(named("tiny"))
    assert found["size"] == tiny.space.size
    assert found["base_outside"] == {}
    assert tiny.network(tuple(found["base_point"])) == named("tiny")
    for sample in found["samples"]:
        network = Network.from_dict(sample["network"])
        assert network == tiny.network(tuple(sample["point"]))
        assert sample["costs"]["macs"] == cost(network).macs <= 1.2e6
    again = answer(run, "search", "space", path, "--draws", "50", "--samples", "0")
    assert again["digest"] == found["digest"]
    assert [name.name for name in tmp_path.iterdir()] == ["space.json"]


def test_the_command_marks_what_lies_outside(run: Run) -> None:
    code, out, err = run("search", "space", "mnasnet", "--base", "efficientnet_b0", "--draws", "20", "--samples", "1")
    assert (code, err) == (0, "")
    assert "1.25, 1.2 (outside)" in out
    assert "efficientnet_b0 is a point of it, outside in block5.filters 1.1667, block6.filters 1.2." in out


Wrong = tuple[tuple[str, ...], str]
COMMANDS: list[Wrong] = [
    (("mnasnt",), "unknown search space 'mnasnt'; did you mean mnasnet? a JSON file is read too"),
    (("own",), "unknown search space 'own'; known: mnasnet, per_stage; a JSON file is read too"),
    (("per_stage",), "per_stage varies a network; give it: --base"),
    (("mnasnet", "--limit", "mac=3M"), "--limit: 'mac=3M' is not NAME=LIMIT, such as macs=400M; did you mean macs?"),
    (("mnasnet", "--limit", "macs=3M,macs=4M"), "--limit: macs stands in it twice"),
    (("mnasnet", "--limit", "memory=3"), "--limit memory: '3': the unit is missing"),
    (("mnasnet", "--limit", "latency=3ms"), "latency is not counted; give a device"),
    (("mnasnet", "--draws", "0"), "draws: 0 is not a whole number of at least 1"),
    (("mnasnet", "--samples", "-1"), "--samples: -1 is below 0"),
    (
        ("per_stage", "--base", "tiny", "--limit", "macs=100"),
        "0 of 200 networks drawn are within the limits; the smallest",
    ),
]


@pytest.mark.parametrize(("words", "says"), COMMANDS)
def test_wrong_usage_is_one_line(run: Run, words: tuple[str, ...], says: str) -> None:
    code, out, err = run("search", "space", *words)
    assert (code, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "no action of search; known: space, coefficients, architecture, report, rate"),
        (("spcae",), "unknown action 'spcae' of search; did you mean space?"),
    ],
)
def test_a_group_without_an_action_names_those_that_it_has(run: Run, words: tuple[str, ...], says: str) -> None:
    assert run("search", *words) == (2, "", f"compoundnet: error: {says}\n")


def test_a_damaged_file_is_one_line(run: Run, tmp_path: Any) -> None:
    path = tmp_path / "space.json"
    cases: list[tuple[Callable[[dict[str, Any]], str], str]] = [
        (lambda data: json.dumps(data)[:-5], "malformed JSON"),
        (lambda data: json.dumps({**data, "version": 7}), "version: 7 is not supported"),
        (lambda data: json.dumps({**data, "choices": [{"name": "resolution", "options": [0]}]}), "resolution: "),
    ]
    right = design(Decision(name="resolution", options=(8, 16))).to_dict()
    for damaged, says in cases:
        path.write_text(damaged(right))
        code, out, err = run("search", "space", path)
        assert (code, out) == (2, "")
        assert says in err
        assert str(path) in err
