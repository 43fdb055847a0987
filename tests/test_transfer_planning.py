"""Transfer: what is planned from what was measured."""

import copy
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from compoundnet.building import reset_classifier
from compoundnet.recipes import finetune
from compoundnet.transferring.choosing import choose
from compoundnet.transferring.clock import Clock
from compoundnet.transferring.looking import look
from compoundnet.transferring.objective import objective_of
from compoundnet.transferring.passing import Passing
from compoundnet.transferring.place import Place
from compoundnet.transferring.unfreezing import Load, opening
from compoundnet.weights import Pretrained

from .labelled import digits


@pytest.mark.some(2)
@pytest.mark.parametrize(("view_seconds", "seen"), [(1.0, 8), (200.0, 4), (300.0, 2), (1500.0, 1)])
def test_the_frozen_part_sees_as_many_views_as_a_quarter_of_the_time_allows(
    parent: Pretrained, view_seconds: float, seen: int
) -> None:
    labels = digits(90).labels
    load_ = Load(80, 10, 8, view_seconds, labels)
    objective = objective_of("multiclass", labels, 3, False)
    model, recipe = copy.deepcopy(parent.model), replace(finetune().recipe, batch=8)
    reset_classifier(model, 3)
    found = opening(model, objective, recipe, load_, (32, 32), 3600.0)
    assert (found.views, found.first) == (seen, 1)
    assert "all but the first" in found.reason.why
    hurried = opening(model, objective, recipe, load_, (32, 32), view_seconds)
    assert (hurried.first, hurried.reason.why) == (None, "no time is left of the budget")
    short = opening(model, objective, recipe, load_, (32, 32), view_seconds + 1e-4)
    assert short.first is None
    assert short.reason.why.startswith("with stage ")
    assert short.reason.why.endswith(" epochs would fit into 0.0001 s")


def test_a_pass_that_is_read_again_took_as_long_as_it_did(parent: Pretrained, tmp_path: Path) -> None:
    """What goes on later must not take reading for passing, or it would plan with views that there is no time for."""
    (tmp_path / ".work").mkdir()
    settings = choose(look(digits(60)), parent.weights.preprocess, "none", 0, 1, 32)
    passing = Passing(
        digits(60), parent.model, Place(tmp_path), Clock(60.0), settings, 1, lambda _: nullcontext(lambda *_: None)
    )
    pixels = passing.pictures().pixels
    first, again = passing.pooled(pixels, "torch"), passing.pooled(pixels, "torch")
    assert torch.equal(first[0], again[0])
    assert first[1] == again[1] > 0
