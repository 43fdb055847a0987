"""Which tensors of a file are the model's. Tensors are letters here: no PyTorch."""

from collections.abc import Mapping
from typing import Any

import pytest

from compoundnet.weights.choosing import Chosen, choose
from compoundnet.weights.errors import Mismatch, RefusedError
from compoundnet.weights.hints import hint

RAW = {"a.w": "r1", "b.w": "r2"}
EMA = {"a.w": "e1", "b.w": "e2"}


def chosen(tree: object, averaged: bool | None = None) -> Chosen:
    return choose(tree, lambda value: isinstance(value, str), averaged)


def under(prefix: str, tensors: Mapping[str, str]) -> dict[str, str]:
    return {prefix + name: tensor for name, tensor in tensors.items()}


def refusal(tree: object, averaged: bool | None = None) -> str:
    with pytest.raises(RefusedError) as caught:
        chosen(tree, averaged)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("tree", "notes"),
    [
        (RAW, ()),
        ({"state_dict": RAW, "epoch": 3}, ("read from the file's 'state_dict'",)),
        ({"model": {"state_dict": RAW}}, ("read from the file's 'model'", "read from the file's 'state_dict'")),
        (under("module.", RAW), ("cut 'module.' off every name",)),
        (under("module._orig_mod.", RAW), ("cut 'module.' off every name", "cut '_orig_mod.' off every name")),
        (under("model.", RAW), ("cut 'model.' off every name",)),
        (under("ema.module.", RAW), ("cut 'ema.' off every name", "cut 'module.' off every name")),
        ({"module.a.w": "r1", "b.w": "r2"}, ("cut 'module.' off 1 of 2 names",)),
        (
            {"n_averaged": "n", **under("module.", RAW)},
            ("left out n_averaged, the count of averaged steps", "cut 'module.' off every name"),
        ),
    ],
)
def test_nesting_and_wrappers_names_are_taken_off_and_stated(tree: object, notes: tuple[str, ...]) -> None:
    found = chosen(tree)
    assert list(found.tensors.items()) == list(RAW.items())
    assert found.notes == notes


BACKBONE = {"backbone.layers.0.conv.weight": "r1", "head.fc.bias": "r2"}


def test_what_lies_beside_the_model_is_named() -> None:
    found = chosen({"model": RAW, "model_ema": EMA, "optimizer": {"state": {}}, "epoch": 3})
    assert found.beside == ("optimizer", "epoch")
    assert chosen(RAW).beside == ()


def test_what_belongs_to_an_ecosystems_names_stays() -> None:
    assert chosen(BACKBONE).tensors == BACKBONE


BOTH: list[dict[str, Any]] = [
    {"state_dict": RAW, "state_dict_ema": EMA},
    {"model": RAW, "model_ema": {"n_averaged": "n", **under("module.", EMA)}, "optimizer": {}},
    {"state_dict": RAW, "ema_state_dict": under("module.", EMA)},
    {"state_dict": under("model.", RAW) | under("ema.module.", EMA)},
    under("model.", RAW) | under("model_ema.module.", EMA),
    RAW | under("ema.", EMA),
]


@pytest.mark.parametrize("tree", BOTH)
def test_averaged_weights_are_preferred_with_a_note_and_both_can_be_had(tree: dict[str, Any]) -> None:
    assert chosen(tree).tensors == EMA
    assert chosen(tree, averaged=True).tensors == EMA
    assert chosen(tree, averaged=False).tensors == RAW
    assert any("averaged=False reads the raw" in note for note in chosen(tree).notes)
    assert not any("averaged=False" in note for note in chosen(tree, averaged=False).notes)


def test_averages_of_some_tensors_only_are_left_out_unless_asked_for() -> None:
    tree = RAW | {"ema.a.w": "e1"}
    assert chosen(tree).tensors == RAW
    assert chosen(tree).notes == ("left out the averaged weights under 'ema.', which lack 1 tensor (b.w)",)
    assert chosen(tree, averaged=True).tensors == {"a.w": "e1"}


def test_what_a_file_does_not_have_cannot_be_asked_for() -> None:
    one = "holds raw weights only, or does not say that it has averaged ones; leave out averaged="
    assert refusal(RAW, averaged=True) == one
    assert refusal({"state_dict": RAW}, averaged=True) == one
    assert refusal({"model_ema": EMA}, averaged=False) == (
        "holds averaged weights only, in 'model_ema'; leave out averaged=False"
    )
    assert refusal(under("ema.", EMA), averaged=False).startswith("holds averaged weights only")


@pytest.mark.parametrize(
    "tree",
    [
        {"state": {0: {"exp_avg": "x"}}, "param_groups": [{"lr": 0.1}]},
        {"optimizer": {"state": {}, "param_groups": []}, "epoch": 3},
        {"optimizer_states": [], "epoch": 3},
    ],
)
def test_what_an_optimizer_saved_is_told_apart(tree: object) -> None:
    assert refusal(tree).startswith("holds an optimizer's state and no model; give the file with the model's weights")


@pytest.mark.parametrize(
    ("tree", "line"),
    [
        ([1], "holds list, not tensors by name; save model.state_dict()"),
        ({}, "holds dict, not tensors by name; save model.state_dict()"),
        ("t", "holds Tensor, not tensors by name; save model.state_dict()"),
        ({**RAW, "epoch": 3}, "1 entries are not plain tensors (epoch); save model.state_dict()"),
        ({"state_dict": {}}, "1 entries are not plain tensors (state_dict); save model.state_dict()"),
        ({1: "t"}, "1 entries are not plain tensors (1); save model.state_dict()"),
        ({"module.a": "1", "a": "2"}, "a stands under 'module.' and ''; keep the names of one model"),
    ],
)
def test_anything_else_is_one_line(tree: object, line: str) -> None:
    assert refusal(tree) == line


def test_names_that_are_nothing_but_a_wrappers_stay() -> None:
    assert chosen({"module.": "1"}).tensors == {"module.": "1"}


@pytest.mark.parametrize(
    ("gap", "part"),
    [
        (
            Mismatch(missing=("bn1.running_mean", "bn1.running_var")),
            "save model.state_dict(), not the parameters alone",
        ),
        (Mismatch(missing=("stem_bn/moving_mean",)), "save model.state_dict(), not the parameters alone"),
        (Mismatch(extra=("head2.weight", "head2.bias")), "look like another head"),
        (Mismatch(extra=("aux_classifier.4.weight",)), "look like another head"),
        (Mismatch(extra=("aux",)), ""),
        (Mismatch(missing=("bn1.running_mean", "bn1.weight")), ""),
        (Mismatch(extra=("head2.weight",), missing=("fc.weight",)), ""),
    ],
)
def test_a_difference_hints_at_its_cause(gap: Mismatch, part: str) -> None:
    assert part in hint(gap)
    assert bool(part) == bool(hint(gap))
