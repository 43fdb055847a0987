"""A search space around any network: kernels, expansions, squeeze, widths and layers of each stage by itself."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from compoundnet.network import Network, Stage, require_network
from compoundnet.operators import OPERATORS
from compoundnet.scaling import RELEASED, Rounding
from compoundnet.schema import FieldError, encode, require, require_number

from .designs import Decision, Design

WIDTHS, LAYERS = (0.75, 1.0, 1.25), (-1, 0, 1)


def per_stage(
    base: Network,
    *,
    kernels: Sequence[int] = (3, 5),
    expands: Sequence[int] = (),
    se: Sequence[float] = (),
    widths: Sequence[float] = WIDTHS,
    layers: Sequence[int] = LAYERS,
    rounding: Rounding = RELEASED,
    name: str = "per_stage",
) -> Design:
    """A design whose choices are each stage's kernel, expansion, squeeze-and-excite, channels and layers.

    ``widths`` are factors of the base's channels, rounded as scaling does; ``layers`` are added to the base's, and
    none are left only where a stage has stride 1. An operator has the choices that it has fields for. The base's own
    value is always an option, so the base is a point. Raises FieldError for values that the operators do not take.

    >>> from compoundnet.families import named
    >>> design = per_stage(named("resnet18"), kernels=(3, 5))
    >>> design.space.size, design.network(design.point_of(named("resnet18"))) == named("resnet18")
    (104976, True)
    """
    require_network(base)
    for place, factor in enumerate(widths):
        require_number(factor, f"widths[{place}]", "a factor above 0", above=0)
    for place, more in enumerate(layers):
        require(type(more) is int, f"layers[{place}]", f"{more!r} is not a whole number of layers to add")
    fields = {"kernel": kernels, "expand": expands, "se": se}
    choices: list[Decision] = []
    for index, stage in enumerate(base.stages):
        for field, options in fields.items():
            if hasattr(stage.operator, field):
                own = encode(getattr(stage.operator, field))
                choices += _decision(f"stages[{index}].operator.{field}", own, options)
        channels = [rounding.channels(stage.channels, factor) for factor in widths]
        choices += _decision(f"stages[{index}].channels", stage.channels, channels)
        choices += _decision(f"stages[{index}].layers", stage.layers, _layers(stage, layers))
    if not choices:
        raise FieldError("choices", "no stage has anything to choose; give kernels, widths or layers")
    own_kinds = {type(stage.operator).__name__: type(stage.operator) for stage in base.stages}
    return Design(name=name, base=base, choices=tuple(choices), operators={**OPERATORS, **own_kinds})


def _layers(stage: Stage, more: Sequence[int]) -> list[int]:
    least = 0 if stage.stride == 1 else 1
    return [max(least, stage.layers + each) for each in more]


def _decision(name: str, own: Any, options: Sequence[Any]) -> Iterator[Decision]:
    """A choice of some values and the base's own, in ascending order; none where there is nothing to choose."""
    key: Callable[[Any], Any] = float
    values = sorted({*options, own}, key=key)
    if len(values) > 1:
        yield Decision(name=name, options=tuple(values))
