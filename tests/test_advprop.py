"""AdvProp: the attack against an independent one in float64, and two sets of batch norms that do not meet."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

from compoundnet import Preprocess, build
from compoundnet.recipes import AdvProp
from compoundnet.training import auxiliary_twin, train
from compoundnet.training.advprop import Box, adversarial_copies, attacked, pgd_step, wrong_classes
from compoundnet.training.module import Learner
from compoundnet.training.planning import Plan
from compoundnet.training.state import latest_state

from .training import NETWORK, PREPROCESS, examples, recipe

MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
IMAGENET = Preprocess(size=(16, 16))


def images(count: int = 4) -> Tensor:
    pixels = torch.rand(count, 3, 16, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return (pixels - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


def reference_step(x: Any, gradient: Any, clean: Any, epsilon: float, step: float) -> Any:
    """One step in pixels of 0 to 255, where the paper's box is: then back to what the network sees."""
    mean, std = MEAN.reshape(3, 1, 1), STD.reshape(3, 1, 1)
    now, pixels = 255 * (x * std + mean), 255 * (clean * std + mean)
    moved = now - step * np.sign(gradient)
    return (np.clip(np.clip(moved, pixels - epsilon, pixels + epsilon), 0, 255) / 255 - mean) / std


@given(epsilon=st.floats(0.1, 16), step=st.floats(0.1, 8), seed=st.integers(0, 100))
def test_a_step_is_that_of_a_float64_reference_in_pixels(epsilon: float, step: float, seed: int) -> None:
    draws = np.random.default_rng(seed)
    clean = images().numpy()
    x = clean + draws.uniform(-epsilon, epsilon, clean.shape) / 255 / STD.reshape(3, 1, 1)
    gradient = draws.normal(size=clean.shape)
    attack, box = AdvProp(epsilon=epsilon, steps=1, step_size=step), Box.of(IMAGENET, 3)
    wide = Box(*(torch.tensor(part, dtype=torch.float64) for part in exact_box()))
    a, b, c = (torch.tensor(part) for part in (x, gradient, clean))
    found = pgd_step(a, b, c, attack, wide)
    np.testing.assert_allclose(found.numpy(), reference_step(x, gradient, clean, epsilon, step), rtol=0, atol=1e-12)
    single = pgd_step(a.float(), b.float(), c.float(), attack, box)
    np.testing.assert_allclose(single.numpy(), found.numpy(), rtol=0, atol=1e-5)


def exact_box() -> tuple[Any, Any, Any]:
    mean, std = MEAN.reshape(3, 1, 1), STD.reshape(3, 1, 1)
    return 1 / (255 * std), -mean / std, (1 - mean) / std


def test_the_attack_stays_in_its_box_and_looks_more_like_the_target() -> None:
    model = build(NETWORK, generator=torch.Generator().manual_seed(0)).eval()
    clean, attack, box = images(8).float(), AdvProp(epsilon=4, steps=5), Box.of(IMAGENET, 3)
    targets = torch.arange(8) % 4
    torch.manual_seed(0)
    found = attacked(model, clean, targets, attack, box)
    reach = (found - clean).abs() * 255 * torch.tensor(STD).float().view(3, 1, 1)
    assert float(reach.max()) <= 4 + 1e-3
    assert bool((found >= box.low - 1e-6).all() and (found <= box.high + 1e-6).all())
    with torch.no_grad():
        assert F.cross_entropy(model(found), targets) < F.cross_entropy(model(clean), targets) - 0.05
    assert all(parameter.grad is None for parameter in model.parameters())


@given(classes=st.integers(2, 1000), seed=st.integers(0, 1000))
def test_a_target_is_never_the_true_class(classes: int, seed: int) -> None:
    labels = torch.randint(classes, (64,), generator=torch.Generator().manual_seed(seed))
    wrong = wrong_classes(labels, classes)
    assert bool(((wrong != labels) & (wrong >= 0) & (wrong < classes)).all())


def test_the_twin_shares_all_but_the_norms() -> None:
    model = build(NETWORK)
    twin = auxiliary_twin(model)
    for (name, mine), theirs in zip(model.named_parameters(), twin.parameters(), strict=True):
        assert (mine is theirs) == (".norm" not in name), name
    assert all(a is not b for a, b in zip(model.buffers(), twin.buffers(), strict=True))


def learner() -> Learner:
    given = recipe(advprop=AdvProp(steps=2), dropout=0, drop_connect=0)
    made = Learner(
        build(NETWORK, generator=torch.Generator().manual_seed(0)),
        Plan(recipe=given, images=64),
        "multiclass",
        PREPROCESS,
    )
    return made.train()


def test_main_statistics_never_see_an_adversarial_batch() -> None:
    made, batch = learner(), (images(8).float(), torch.arange(8) % 4)
    alone = build(NETWORK, generator=torch.Generator().manual_seed(0)).train()
    alone(batch[0])
    made.training_step(batch, 0)
    assert made.twin is not None
    for (name, main), expected in zip(made.model.named_buffers(), alone.buffers(), strict=True):
        torch.testing.assert_close(main, expected, msg=name)
    assert any(not torch.equal(a, b) for a, b in zip(made.model.buffers(), made.twin.buffers(), strict=True))


def test_the_attack_leaves_the_auxiliary_statistics_alone() -> None:
    made = learner()
    assert made.twin is not None
    before = [buffer.clone() for buffer in made.twin.buffers()]
    adversarial_copies(made.twin, images(8).float(), torch.arange(8) % 4, AdvProp(), made.box)
    assert all(torch.equal(a, b) for a, b in zip(made.twin.buffers(), before, strict=True))
    assert made.twin.training


def test_an_attack_takes_one_forward_pass_a_step() -> None:
    made = learner()
    passes: list[int] = []

    def count(module: torch.nn.Module, given: Any, output: Tensor) -> None:
        passes.append(len(output))

    assert made.twin is not None
    made.twin.register_forward_hook(count)
    adversarial_copies(made.twin, images(8).float(), torch.arange(8) % 4, AdvProp(steps=3), made.box)
    assert passes == [8, 8, 8]


def test_the_loss_is_the_mean_of_both_with_the_true_label() -> None:
    made, (x, y) = learner(), (images(8).float(), torch.arange(8) % 4)
    assert made.twin is not None
    torch.manual_seed(5)
    loss = made.training_step((x, y), 0)
    other = learner()
    assert other.twin is not None
    torch.manual_seed(5)
    clean = F.cross_entropy(other.model(x), y, label_smoothing=0.1)
    copies = adversarial_copies(other.twin, x, y, AdvProp(steps=2), other.box)
    adversarial = F.cross_entropy(other.twin(copies), y, label_smoothing=0.1)
    torch.testing.assert_close(loss, (clean + adversarial) / 2)


def test_weights_for_people_have_the_main_norms_only(tmp_path: Path) -> None:
    train(NETWORK, recipe(epochs=1, advprop=AdvProp(steps=1)), examples(32), None, tmp_path / "run")
    saved = load_file(tmp_path / "run" / "model.safetensors")
    assert saved.keys() == build(NETWORK).state_dict().keys()
    state = latest_state(tmp_path / "run" / "resume")
    assert state is not None
    assert sum(name.startswith("auxiliary.") for name in state.tensors) == 5 * sum(
        n.endswith("running_mean") for n in saved
    )


def test_the_images_of_advprop_run_from_minus_1_to_1(tmp_path: Path) -> None:
    from compoundnet import load

    train(NETWORK, recipe(epochs=1, advprop=AdvProp(steps=1)), examples(32), None, tmp_path / "run")
    preprocess = load(tmp_path / "run" / "model.safetensors").weights.preprocess
    assert (preprocess.mean, preprocess.std) == ((0.5,) * 3, (0.5,) * 3)


def test_advprop_needs_classes(tmp_path: Path) -> None:
    from dataclasses import replace

    data = examples(32)
    shares = replace(data, labels=np.eye(4, dtype=np.float32)[data.labels], task="multilabel")
    with pytest.raises(ValueError, match="advprop: needs classes to attack; the task is 'multilabel'"):
        train(NETWORK, recipe(advprop=AdvProp()), shares, None, tmp_path / "run")
