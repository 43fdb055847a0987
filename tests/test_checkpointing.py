"""Recomputing activations changes nothing but memory: whole training steps, to the last bit."""

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch

from compoundnet import Scaling, build, named, scale
from compoundnet.training import RMSProp, averaged
from compoundnet.training.allocation import allocated

STEPS = 3


def trained(model: Any, checkpointing: bool, precision: torch.dtype) -> dict[str, Any]:
    """Losses, weights, statistics, average, optimizer's state and random state after a few steps of the recipe."""
    model = copy.deepcopy(model)
    model.checkpointing = checkpointing
    optimizer, twin = RMSProp(model.parameters(), lr=0.01, weight_decay=1e-5), averaged(model)
    torch.manual_seed(3)
    losses: list[torch.Tensor] = []
    for _ in range(STEPS):
        images, labels = torch.randn(4, 3, 32, 32), torch.randint(10, (4,))
        with torch.autocast("cpu", precision, enabled=precision != torch.float32):
            logits = model(images)
        loss = torch.nn.functional.cross_entropy(logits.float(), labels, label_smoothing=0.1)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        twin.update_parameters(model)
        losses.append(loss.detach())
    state = {str(k): v for k, each in enumerate(optimizer.state.values()) for v in each.values()}
    tensors = {**model.state_dict(), **{f"average.{name}": value for name, value in twin.state_dict().items()}}
    return {**tensors, **state, "losses": torch.stack(losses), "random": torch.get_rng_state()}


@pytest.mark.parametrize(
    ("name", "precision"), [("tiny", torch.float32), ("tiny", torch.bfloat16), ("mobilenet_v1", torch.float32)]
)
def test_training_steps_are_equal_to_the_last_bit(name: str, precision: torch.dtype) -> None:
    """Drop path and dropout draw again the same; running statistics move once a step, not twice."""
    network = replace(named(name), resolution=32, classes=10)
    model = build(network, dropout=0.3, drop_path=0.5, generator=torch.Generator().manual_seed(0)).train()
    plain, recomputed = trained(model, False, precision), trained(model, True, precision)
    assert plain.keys() == recomputed.keys()
    for key, value in plain.items():
        assert torch.equal(value, recomputed[key]), key
    counts = [value for key, value in plain.items() if key.endswith("num_batches_tracked") and "average" not in key]
    assert counts
    assert all(count.item() == STEPS for count in counts)


def test_evaluation_recomputes_nothing() -> None:
    model = build(named("tiny")).eval()
    images = torch.randn(2, 3, 32, 32)
    plain = model(images)
    model.checkpointing = True
    assert torch.equal(plain, model(images))


def test_where_activations_dwarf_weights_memory_is_at_most_half() -> None:
    network = replace(scale(named("efficientnet_b0"), Scaling(depth=2, width=0.25, resolution=0.43)), classes=10)
    assert allocated(network, 8, checkpointing=True) <= allocated(network, 8) / 2


@pytest.mark.slow
def test_b0_at_224_with_16_images_takes_at_most_half() -> None:
    network = named("efficientnet_b0")
    assert allocated(network, 16, checkpointing=True) <= allocated(network, 16) / 2
