"""Training refuses what does not fit before it begins, and what is not finite with its step and its block."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from compoundnet import build, load
from compoundnet.augmentation import operations
from compoundnet.modules import ConvNet
from compoundnet.recipes import Augment, Optimizer
from compoundnet.recipes.recipe import BEYOND
from compoundnet.schema import FieldError
from compoundnet.training import Host, TrainingError, train
from compoundnet.training.diagnosing import first_broken
from compoundnet.training.history import Progress
from compoundnet.training.state import latest_state

from .training import NETWORK, PREPROCESS, examples, pictures, recipe, run

ROOT = Path(__file__).parent.parent


def test_data_that_do_not_fit_are_refused_before_a_folder_is_made(tmp_path: Path) -> None:
    data = replace(examples(64), classes=("a", "b"))
    with pytest.raises(FieldError, match=r"classes: the data has 2, the network 4; give dataclasses.replace"):
        run(tmp_path / "run", recipe(), data)
    other = replace(examples(32), classes=("a", "b", "c", "x"))
    with pytest.raises(FieldError, match="validation: its task or classes are not those"):
        train(NETWORK, recipe(), examples(64), other, tmp_path / "run", preprocess=PREPROCESS)
    with pytest.raises(FieldError, match="batch: 16 is more than the 8 training images; give a batch of at most 8"):
        run(tmp_path / "run", recipe(), examples(8))
    with pytest.raises(TrainingError, match="float16 needs a GPU; train in bfloat16 or float32"):
        run(tmp_path / "run", recipe(precision="float16"), host=Host(accelerator="cpu"))
    wide = replace(NETWORK, resolution=32)
    with pytest.raises(
        FieldError, match=r"preprocess.size: 16 x 16 pixels, the network takes 32; give size=\(32, 32\)"
    ):
        train(wide, recipe(), examples(64), None, tmp_path / "run", preprocess=PREPROCESS)
    grey = replace(NETWORK, in_channels=1)
    with pytest.raises(FieldError, match="in_channels: 1; pictures have 3: red, green and blue"):
        train(grey, recipe(), pictures(tmp_path / "data"), None, tmp_path / "run", preprocess=PREPROCESS)
    assert not (tmp_path / "run").exists()


def test_the_strongest_randaugment_of_a_recipe_is_the_strongest_there_is() -> None:
    assert Augment(policy="randaugment", magnitude=BEYOND).magnitude == operations.BEYOND
    with pytest.raises(FieldError, match=r"magnitude: 30\.5 is not a magnitude from 0 to 30"):
        Augment(policy="randaugment", magnitude=30.5)


def test_a_loss_that_is_not_finite_names_the_step_and_the_block(tmp_path: Path) -> None:
    wild = recipe(optimizer=Optimizer(name="sgd", rate=1e20, per=16, warmup_epochs=0))
    with pytest.raises(TrainingError, match=r"step \d+: the loss is .*nan.*; .*; try a lower rate, .* is kept"):
        run(tmp_path / "run", wild, host=Host(save_steps=1))


@pytest.mark.parametrize("judged", [True, False])
def test_weights_that_are_not_finite_never_replace_good_ones(judged: bool, tmp_path: Path) -> None:
    """One step an epoch: the first at a rate of 0, the second so large that every kernel overflows."""
    huge = Optimizer(name="sgd", rate=3e38, per=16, weight_decay=1e4, warmup_epochs=1.0, momentum=0.0)
    judges = examples(32, seed=1) if judged else None
    for resume in (False, True):
        with pytest.raises(TrainingError, match=r"^step 1: it left \S+ not finite; try a lower rate, .* is kept$"):
            train(NETWORK, recipe(optimizer=huge), examples(16), judges, tmp_path, preprocess=PREPROCESS, resume=resume)
    for path in (tmp_path / "model.safetensors", tmp_path / "last" / "model.safetensors"):
        assert all(bool(value.isfinite().all()) for value in load(path).model.state_dict().values())
    state = latest_state(tmp_path / "resume")
    assert state is not None
    assert [row["steps"] for row in state.values["progress"]["history"]] == [1]


def test_a_validation_loss_that_is_not_finite_is_left_out_of_the_record_and_null_in_the_events(tmp_path: Path) -> None:
    """Weights of 1e18 are finite, what they make of a picture is not."""
    wild = recipe(epochs=1, optimizer=Optimizer(name="sgd", rate=1e20, per=16, warmup_epochs=0))
    done = run(tmp_path / "run", wild, examples(16))
    assert done.best["loss"] is None
    assert "validation_loss" not in load(done.model).weights.metrics
    lines = (tmp_path / "run" / "events.jsonl").read_text().splitlines()
    assert json.loads(lines[-1], parse_constant=pytest.fail)["loss"] is None
    assert run(tmp_path / "run", wild, examples(16), resume=True) == done


def test_an_epoch_whose_loss_is_not_finite_is_never_better() -> None:
    progress = Progress()
    rows: list[dict[str, Any]] = [{"loss": None, "top1": 99.0}, {"loss": 2.0, "top1": 40.0}, {"loss": None}]
    assert [progress.add(row) for row in rows] == [True, True, False]


def test_the_first_block_that_overflows_is_named() -> None:
    model = build(NETWORK).train()
    with torch.no_grad():
        model.get_parameter("stages.1.0.project.norm.weight").fill_(3e38)
        model.get_parameter("stages.1.0.project.norm.bias").fill_(3e38)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert first_broken(model, torch.randn(4, 3, 16, 16)) == "stages.1.0 was the first whose output is not finite"
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert first_broken(model, torch.full((1, 3, 16, 16), torch.nan)) == "the images are not finite"
    with torch.no_grad():
        model.classifier.get_parameter("bias").fill_(torch.nan)
    assert first_broken(model, torch.randn(4, 3, 16, 16)) == "classifier.bias is not finite, since a step before"
    assert isinstance(model, ConvNet)


@pytest.mark.slow
def test_training_without_lightning_is_one_line() -> None:
    code = """
import sys
sys.modules["pytorch_lightning"] = None
import importlib.util
from pathlib import Path
from tests.training import recipe, run
try:
    run(Path("/tmp/never"), recipe())
except ValueError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "training needs pytorch-lightning: pip install 'compoundnet[train]'\n"


def test_importing_the_package_needs_no_lightning() -> None:
    code = "import sys, compoundnet.training; sys.exit('pytorch_lightning' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
