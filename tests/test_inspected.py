"""The record of files with random weights: it covers every format, holds nothing wrong, and is what inspect says."""

import json
from typing import Any

import pytest
from tools import inspected
from tools.confusion_block import answer
from tools.files import RESULTS, is_up_to_date, records

from compoundnet import MEMBERS
from compoundnet.weights import ECOSYSTEMS
from compoundnet.weights.formats import FORMATS

LINES = records(inspected.RECORD)
KINDS = {kind.name: kind for kind in inspected.KINDS}
FIRST = ("efficientnet_b0", "timm")
CHEAP = (
    ("tiny", "compoundnet", "safetensors with our record"),
    ("tiny", "timm", "PyTorch, before 1.6"),
    ("tiny", "timm", "PyTorch, zip"),
    ("mobilenet_v2", "torchvision", "safetensors"),
    ("efficientnet_b0", "keras", "Keras .h5, model"),
    ("efficientnet_b0", "keras_numbered", "Keras .keras"),
)


def test_nothing_in_the_record_is_wrong_and_only_resnets_have_twins() -> None:
    answers = {(line["member"], line["ecosystem"], answer(line)) for line in LINES}
    assert not {each for each in answers if each[2] == "wrong"}
    resnets = {(name, eco, "twins") for name in ("resnet18", "resnet50") for eco in ("torchvision", "timm")}
    assert {each for each in answers if each[2] == "twins"} == resnets


def test_the_record_has_every_ecosystem_and_every_format_that_is_read() -> None:
    assert {line["ecosystem"] for line in LINES} == set(ECOSYSTEMS)
    assert {line["file"] for line in LINES} == set(KINDS)
    assert {line["is"] for line in LINES} == {row.name for row in FORMATS if row.reader}
    told = [(line["member"], line["ecosystem"], line["file"]) for line in LINES]
    assert told == [(member, ecosystem, kind.name) for member, ecosystem, kind in inspected.cells()]


def test_the_networks_are_two_of_each_family() -> None:
    families = ("efficientnet_b", "efficientnet_lite", "efficientnet_edgetpu", "mobilenet", "resnet")
    for family in families:
        assert sum(name.startswith(family) for name in inspected.MEMBERS) == 2
    assert set(inspected.MEMBERS) <= set(MEMBERS)


@pytest.mark.parametrize(("member", "ecosystem", "kind"), CHEAP)
def test_cheap_files_are_told_as_the_record_says(member: str, ecosystem: str, kind: str) -> None:
    keys = ("member", "ecosystem", "file")
    recorded = next(line for line in LINES if tuple(line[key] for key in keys) == (member, ecosystem, kind))
    assert inspected.inspected(member, ecosystem, KINDS[kind]) == recorded


@pytest.mark.slow
def test_the_whole_record_is_what_inspect_says() -> None:
    assert is_up_to_date(RESULTS / inspected.RECORD, inspected.text()), "run: python -m tools.inspected"


@pytest.mark.parametrize(
    ("what", "value", "confidence", "expected"),
    [
        ("network", "efficientnet_b1", "certain", "wrong"),
        ("network", "efficientnet_b1 or efficientnet_b0", "open", "twins"),
        ("names", "torchvision", "open", "wrong"),
        ("format", "Keras file", "certain", "wrong"),
        ("classes", 1000, "certain", "wrong"),
        ("padding", "same", "likely", "wrong"),
        ("padding", "same", "open", "told"),
        ("norm_eps", 0.5, "certain", "wrong"),
    ],
)
def test_one_false_word_makes_an_answer_wrong(what: str, value: str | float, confidence: str, expected: str) -> None:
    line: dict[str, Any] = next(line for line in LINES if (line["member"], line["ecosystem"]) == FIRST)
    changed = json.loads(json.dumps(line))
    assert answer(changed) == "told"
    changed["said"][what] = [value, confidence]
    assert answer(changed) == expected
