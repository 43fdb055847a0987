"""Which tensors of a file are the model's: out of the nesting and from under the names that training scripts add.

Where a file has averaged weights (EMA) too, those are what its author evaluated: they are taken unless told otherwise.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from compoundnet.schema import counted

from .errors import RefusedError, first, plain

T = TypeVar("T")
AVERAGED = ("state_dict_ema", "model_ema", "ema_state_dict", "model_ema_state_dict", "ema_model", "ema")
NESTED = ("state_dict", "model", "model_state_dict", "net", "module")
OPTIMIZER = ("optimizer", "optimizer_state_dict", "optimizers", "optimizer_states")
# What stands before every name: DataParallel, torch.compile, Lightning modules, and wrappers that average.
WRAPPED = ("module.", "_orig_mod.", "model.")
AVERAGING = ("ema.", "model_ema.", "ema_model.")
COUNTER = "n_averaged"  # of torch.optim.swa_utils.AveragedModel
_DEPTH = 4
_SAVE = "save model.state_dict()"


@dataclass(frozen=True)
class Chosen:
    """Tensors by name, notes on what was chosen and cut off, and the names of what lies beside the nesting."""

    tensors: Mapping[str, object]
    notes: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()


def choose(tree: object, plain: Callable[[object], bool], averaged: bool | None = None) -> Chosen:
    """The model's tensors in what a file holds; ``plain`` tells which values are tensors.

    ``averaged`` True or False asks for the averaged or the raw weights of a file; with None the averaged ones
    are preferred. Raises RefusedError, one line, for a file without the tensors that are asked for.
    """
    inner, notes, kind = _unnested(tree, averaged)
    if not isinstance(inner, Mapping) or not inner:
        raise RefusedError(f"holds {_called(inner, plain)}, not tensors by name; {_SAVE}")
    _refuse_optimizer(inner, plain)
    others = [str(name) for name, value in inner.items() if not plain(value) or not isinstance(name, str)]
    if others:
        raise RefusedError(f"{len(others)} entries are not plain tensors ({first(others)}); {_SAVE}")
    found, more = _unwrapped({str(name): value for name, value in inner.items()}, averaged if kind is None else None)
    return Chosen(found, (*notes, *more), _beside(tree, inner))


def _beside(tree: object, inner: object) -> tuple[str, ...]:
    """What a training script keeps in the file with the model."""
    if not isinstance(tree, Mapping) or tree is inner:
        return ()
    return tuple(str(name) for name, value in tree.items() if value is not inner and name not in (*NESTED, *AVERAGED))


def _called(value: object, plain: Callable[[object], bool]) -> str:
    return "Tensor" if plain(value) else type(value).__name__


def _unnested(tree: object, averaged: bool | None) -> tuple[object, list[str], bool | None]:
    """What lies inside the nesting, notes, and whether the nesting said that it is averaged (None: it did not)."""
    notes: list[str] = []
    kind: bool | None = None
    for _ in range(_DEPTH):
        if not isinstance(tree, Mapping):
            break
        ema, raw = _first(tree, AVERAGED), _first(tree, NESTED)
        if kind is None and ema is not None and averaged is not False:
            rest = f"; averaged=False reads the raw weights in {raw!r}" if raw else ""
            notes.append(f"read from the file's {ema!r}, the averaged weights{rest}")
            tree, kind = tree[ema], True
        elif raw is not None:
            notes.append(f"read from the file's {raw!r}")
            tree, kind = tree[raw], False if ema is not None else kind
        elif kind is None and ema is not None:
            raise RefusedError(f"holds averaged weights only, in {ema!r}; leave out averaged=False")
        else:
            break
    return tree, notes, kind


def _first(tree: Mapping[object, object], keys: tuple[str, ...]) -> str | None:
    return next((key for key in keys if isinstance(tree.get(key), Mapping) and tree[key]), None)


def _refuse_optimizer(tree: Mapping[object, object], plain: Callable[[object], bool]) -> None:
    """Raise RefusedError for what an optimizer saves, alone or in a checkpoint that has no model."""
    of_one = {"state", "param_groups"} <= tree.keys()
    beside = any(key in tree for key in OPTIMIZER) and not any(plain(value) for value in tree.values())
    if of_one or beside:
        raise RefusedError(
            "holds an optimizer's state and no model; give the file with the model's weights (model.state_dict())"
        )


def _unwrapped(tensors: Mapping[str, T], averaged: bool | None) -> tuple[dict[str, T], tuple[str, ...]]:
    """The tensors without the wrappers' names before theirs, of the averaged or the raw model if there are both."""
    groups: dict[tuple[str, ...], dict[str, T]] = {}
    for name, tensor in tensors.items():
        chain, rest = _peeled(name)
        groups.setdefault(chain, {})[rest] = tensor
    notes: list[str] = []
    counters = [chain for chain, group in groups.items() if COUNTER in group]
    if counters and len(tensors) > len(counters):
        for chain in counters:
            del groups[chain][COUNTER]
        groups = {chain: group for chain, group in groups.items() if group}
        notes.append(f"left out {COUNTER}, the count of averaged steps")
        averaged = averaged or None  # True is granted
    kept, which = _of_one_model(groups, averaged)
    notes += which
    found: dict[str, T] = {}
    for group in kept.values():
        twice = next((name for name in group if name in found), None)
        if twice is not None:
            both = " and ".join(repr("".join(each)) for each, held in kept.items() if twice in held)
            raise RefusedError(f"{plain(twice)} stands under {both}; keep the names of one model")
        found |= group
    total = sum(map(len, kept.values()))
    for prefix in dict.fromkeys(prefix for chain in kept for prefix in chain):
        cut = sum(len(group) for chain, group in kept.items() if prefix in chain)
        notes.append(f"cut {prefix!r} off {'every name' if cut == total else f'{cut} of {total} names'}")
    # As the file has them: a group's tensors may lie between another's.
    order = [rest for chain, rest in map(_peeled, tensors) if chain in kept and rest in found]
    return {name: found[name] for name in order}, tuple(notes)


def _peeled(name: str) -> tuple[tuple[str, ...], str]:
    """The wrappers' names before a tensor's, and its own."""
    chain: list[str] = []
    while True:
        prefix = next((each for each in (*WRAPPED, *AVERAGING) if name.startswith(each) and name != each), None)
        if prefix is None:
            return tuple(chain), name
        chain.append(prefix)
        name = name.removeprefix(prefix)


def _of_one_model(
    groups: Mapping[tuple[str, ...], dict[str, T]], averaged: bool | None
) -> tuple[dict[tuple[str, ...], dict[str, T]], list[str]]:
    """The groups of the averaged or of the raw model, and a note where there was a choice."""
    ema = {chain: group for chain, group in groups.items() if set(chain) & set(AVERAGING)}
    raw = {chain: group for chain, group in groups.items() if chain not in ema}
    if averaged is not None and not (ema if averaged else raw):
        has, wants = ("averaged", "raw") if ema else ("raw", "averaged")
        raise RefusedError(f"holds {has} weights only, or does not say that it has {wants} ones; leave out averaged=")
    if not ema or not raw:
        return dict(groups), []
    prefix = next(part for chain in ema for part in chain if part in AVERAGING)
    lacking = [name for group in raw.values() for name in group if not any(name in held for held in ema.values())]
    if averaged is None and lacking:
        few = counted(len(lacking), "tensor")
        return raw, [f"left out the averaged weights under {prefix!r}, which lack {few} ({first(lacking)})"]
    if averaged is False:
        return raw, [f"left out the averaged weights under {prefix!r}"]
    return ema, [f"read the averaged weights under {prefix!r}; averaged=False reads the raw ones"]
