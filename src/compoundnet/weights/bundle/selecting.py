"""Which variables of a checkpoint are the model: the moving averages, without what only training needs."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from compoundnet.schema import counted
from compoundnet.weights.errors import CheckpointError, first

from .entries import Entry
from .kinds import NO_NUMBERS

AVERAGE = "/ExponentialMovingAverage"
# What TensorFlow's own optimizers call themselves; a further variable of one gets a number.
_SLOT = re.compile(
    r"/(RMSProp|Momentum|Adam|Adagrad|AdagradDA|Adadelta|Ftrl|LARSOptimizer|LarsOptimizer|GradientDescent)(_\d+)?$"
)


@dataclass(frozen=True)
class Selection:
    """The model's variables by name, each with the name of the variable to read; ``averages`` counts the averages."""

    sources: Mapping[str, str]
    averages: int
    notes: tuple[str, ...]


def selected(variables: Mapping[str, Entry], averaged: bool = True) -> Selection:
    """The model's variables: each by its moving average (``averaged``) if it has one, or all as they were trained.

    Optimizer slots and single numbers (``global_step``) are left out, and texts; ``notes`` say so. A slot is a variable
    named below another one, or as TensorFlow's optimizers name theirs. Raises CheckpointError when nothing is left, and
    when the variables are wanted as trained and the file has only their averages.
    """
    singles = [name for name, entry in variables.items() if _is_single(entry)]
    tensors = sorted(variables.keys() - set(singles))
    averages = {name.removesuffix(AVERAGE): name for name in tensors if name.endswith(AVERAGE)}
    plain = [name for name in tensors if not name.endswith(AVERAGE)]
    known = {*plain, *averages}
    slots = [
        name for name in plain if _SLOT.search(name) or "/.OPTIMIZER_SLOT/" in name or name.rpartition("/")[0] in known
    ]
    raw = set(plain) - set(slots)
    names = sorted({*raw, *averages})
    if not names:
        left = counted(len(slots), "variable of an optimizer", "variables of an optimizer") + _examples(slots)
        remedy = "give the checkpoint of the model"
        raise CheckpointError(f"no variable of a model is in it: {left}, {counted(len(singles), 'counter')}; {remedy}")
    lacking = [name for name in names if name not in raw]
    if not averaged and lacking:
        held = counted(len(lacking), "variable is", "variables are")
        raise CheckpointError(f"{held} there as moving averages only ({first(lacking)}); read those: averaged=True")
    sources = {name: averages.get(name, name) if averaged else name for name in names}
    notes = (_averages_note(names, averages, averaged), *_left_out(slots, singles))
    return Selection(sources, len(averages) if averaged else 0, notes)


def _is_single(entry: Entry) -> bool:
    """Whether an entry is one number, or no numbers: a step counter, a power of a decay, a text about the graph."""
    return not entry.shape or entry.dtype in NO_NUMBERS


def _averages_note(names: Collection[str], averages: Mapping[str, str], averaged: bool) -> str:
    if not averages:
        return "the file has no moving averages; its variables are as they were trained"
    if not averaged:
        return f"{counted(len(averages), 'moving average')} left out: variables as they were trained"
    without = [name for name in names if name not in averages]
    rest = f"; {len(without)} have none and are as they were trained ({first(without)})" if without else ""
    return f"{counted(len(averages), 'variable')} read as moving averages{rest}"


def _left_out(slots: Collection[str], singles: Collection[str]) -> list[str]:
    kinds = sorted({name.rpartition("/")[2] for name in slots})
    notes = [f"{counted(len(slots), 'optimizer variable')} left out ({first(kinds)})"] if slots else []
    return [*notes, f"left out: {first(sorted(singles))}"] if singles else notes


def _examples(names: Collection[str]) -> str:
    return f" ({first(sorted(names))})" if names else ""
