"""A card says step by step how weights came about; old records are read, and no name breaks the Markdown."""

import json
from dataclasses import replace
from typing import Any, get_args

import pytest

from compoundnet.families import named
from compoundnet.preprocess import Preprocess
from compoundnet.schema import FieldError
from compoundnet.weights.cards import (
    MOST_STEPS,
    MOST_TEXT,
    Card,
    Deed,
    Provenance,
    closed,
    followed,
    lineage,
    parent_of,
)
from compoundnet.weights.markdown import to_markdown
from compoundnet.weights.records import RECORD_VERSION, Weights

PARENT = Weights(
    name="efficientnet_b0_ns",
    network=named("efficientnet_b0"),
    preprocess=Preprocess(size=(224, 224)),
    source="tensorflow/tpu, noisy student",
    file="b0.pth",
    sha256="ab" * 32,
    licence="Apache-2.0",
    metrics={"imagenet_top1": 78.8},
)
STEP = Provenance(
    deed="transferred",
    name="cells",
    data="elpv, 2,624 pictures, 2 classes",
    recipe="transfer",
    recipe_sha256="cd" * 32,
    date="2026-11-27",
    tool="compoundnet 0.1.0",
)


def child() -> Weights:
    card = closed(followed(parent_of(PARENT), STEP), metrics={"validation_top1": 91.5}, tensors_sha256="ef" * 32)
    small = replace(PARENT, name="cells", network=replace(PARENT.network, classes=2), classes=("cracked", "whole"))
    return replace(small, metrics={"validation_top1": 91.5}, card=card)


def test_weights_as_published_are_their_own_first_step() -> None:
    [step] = lineage(PARENT)
    assert (step.deed, step.name, step.sha256) == ("published", PARENT.name, PARENT.sha256)
    assert (step.licence, step.metrics, step.source) == ("Apache-2.0", {"imagenet_top1": 78.8}, PARENT.source)


def test_a_step_follows_its_parent_and_has_its_licence() -> None:
    first, second = lineage(child())
    assert first == lineage(PARENT)[0]
    assert (second.licence, second.metrics) == ("Apache-2.0", {"validation_top1": 91.5})
    assert second.tensors_sha256 == "ef" * 32
    own = followed(parent_of(PARENT), replace(STEP, licence="MIT"))
    assert own.steps[-1].licence == "MIT"
    assert [step.name for step in followed(parent_of(child()), replace(STEP, name="more")).steps] == [
        PARENT.name,
        "cells",
        "more",
    ]


def test_what_nobody_made_before_has_no_parent() -> None:
    assert followed(parent_of(None), STEP).steps == (STEP,)


def test_a_record_with_a_card_survives_json() -> None:
    data = json.loads(json.dumps(child().to_dict()))
    assert data["version"] == RECORD_VERSION == 2
    assert Weights.from_dict(data) == child()
    assert hash(child()) == hash(child())


def test_a_record_from_before_there_were_cards_is_read() -> None:
    data = PARENT.to_dict()
    del data["card"]
    assert Weights.from_dict({**data, "version": 1}) == PARENT


@pytest.mark.parametrize("version", [True, 1.0, "1", 0, 3, None])
def test_a_version_that_is_none_is_refused(version: object) -> None:
    with pytest.raises(FieldError, match="version"):
        Weights.from_dict({**PARENT.to_dict(), "version": version})


BROKEN: list[tuple[dict[str, Any], str]] = [
    ({"card": {"steps": [{"deed": "stolen", "name": "a"}]}}, "card.steps[0].deed: 'stolen' is not one of"),
    ({"card": {"steps": [{"deed": "trained"}]}}, "card.steps[0].name: missing"),
    ({"card": {"steps": [{"deed": "trained", "name": "a", "data": 3}]}}, "card.steps[0].data: expected a text, got 3"),
    ({"card": {"steps": [{"deed": "trained", "name": "a" * 301}]}}, "card.steps[0].name: 301 characters"),
    ({"card": {"steps": [{"deed": "trained", "name": "a"}] * 33}}, "card.steps: 33 steps; at most 32"),
]


@pytest.mark.parametrize(("change", "line"), BROKEN)
def test_a_card_that_is_none_names_the_field(change: dict[str, Any], line: str) -> None:
    with pytest.raises(FieldError) as caught:
        Weights.from_dict(PARENT.to_dict() | change)
    assert str(caught.value).startswith(line)


def test_a_chain_never_forgets_where_it_began() -> None:
    weights = PARENT
    for number in range(MOST_STEPS + 10):
        weights = replace(weights, card=followed(parent_of(weights), replace(STEP, name=f"step {number}")))
    steps = lineage(weights)
    assert len(steps) == MOST_STEPS
    assert (steps[0].name, steps[-1].name) == (PARENT.name, f"step {MOST_STEPS + 9}")


def test_a_record_with_a_long_text_still_makes_a_card() -> None:
    [step] = lineage(replace(PARENT, source="x" * 10_000))
    assert len(step.source) == MOST_TEXT


def test_the_markdown_says_what_the_record_says_and_carries_the_licence() -> None:
    text = to_markdown(child())
    lines = text.splitlines()
    assert lines[:3] == ["---", "license: apache-2.0", "library_name: compoundnet"]
    for piece in ("4,010,110", "cracked, whole", "91.5 %", "78.8 %", "2026-11-27", "elpv, 2,624 pictures", "cd" * 32):
        assert piece in text or piece in text.replace("\\", ""), piece
    assert text.index(", published") < text.index(", transferred")
    assert text.endswith("## Licence\n\nApache-2.0\n")


def test_a_licence_that_is_no_hub_s_is_named_and_an_earlier_one_is_shown() -> None:
    card = followed(parent_of(PARENT), replace(STEP, licence="my own: ask"))
    text = to_markdown(replace(PARENT, licence="my own: ask", card=card))
    assert 'license: other\nlicense_name: "my own: ask"' in text
    assert text.endswith("Weights that it was made from: Apache-2.0.\n")
    assert "unknown: ask where the weights come from" in to_markdown(replace(PARENT, licence=""))


@pytest.mark.parametrize(
    "name", ["a|b", "a\n---\nlicense: mit", "<script>alert(1)</script>", "[x](y)", "\x1b[2J", "`a`"]
)
def test_no_name_breaks_out_of_its_place(name: str) -> None:
    plain, odd = to_markdown(PARENT), to_markdown(replace(PARENT, name=name, licence=name))
    assert len(odd.splitlines()) == len(plain.splitlines()) + 1  # the licence's own name
    assert "<script>" not in odd.split("---\n", 2)[2].replace("\\<", "")
    assert "\x1b" not in odd.split("---\n", 2)[2]


def test_the_words_of_the_markdown_are_those_of_inspect() -> None:
    for deed in get_args(Deed):
        assert f"**cells**, {deed}, 2026-11-27" in to_markdown(replace(PARENT, card=Card((replace(STEP, deed=deed),))))


@pytest.mark.parametrize(("classes", "shown"), [(2, False), (5, False), (6, True)])
def test_figures_that_say_nothing_are_not_shown(classes: int, shown: bool) -> None:
    metrics = {"validation_top1": 91.5, "validation_top5": 100.0, "validation_nll": -0.0}
    network = replace(PARENT.network, classes=classes)
    card = closed(followed(parent_of(PARENT), STEP), metrics=metrics, tensors_sha256="")
    text = to_markdown(replace(PARENT, network=network, metrics=metrics, card=card)).replace("\\", "")
    assert text.count("validation_nll | 0 |") == text.count("validation_nll 0\n") == 1
    assert text.count("validation_top5") == (2 if shown else 0)
    assert text.count("validation_top1") == 2


def test_only_a_card_s_last_step_is_closed() -> None:
    assert closed(Card(), metrics={}, tensors_sha256="") == Card()
    two = followed(parent_of(child()), STEP)
    done = closed(two, metrics={"a": 1.0}, tensors_sha256="12")
    assert done.steps[:-1] == two.steps[:-1]
    assert done.steps[-1] == replace(two.steps[-1], metrics={"a": 1.0}, tensors_sha256="12")
