"""What a PyTorch pickle may call, as a table: each call answers with a value, and none runs anything of PyTorch's."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from compoundnet.weights.errors import DamagedError, RefusedError, plain

from .stored import ELEMENTS, STORAGES, Global, Opaque, Stored, tensor

_NO_CODE = (
    "and not only tensors, and reading it would run that code; "
    "ask for a .safetensors file, or for torch.save(model.state_dict(), ...) by its author"
)

# What training scripts keep beside the tensors. It is passed over: neither made nor run.
PASSED_OVER = (
    *("argparse.Namespace", "_codecs.encode"),
    *("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar", "numpy.dtype", "numpy.ndarray"),
    *("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct", "pathlib.PosixPath"),
    *(
        "torch.device",
        "torch.serialization._get_layout",
        "torch._utils._rebuild_sparse_tensor",
        "torch._utils._rebuild_qtensor",
    ),
    *("torch._utils._rebuild_meta_tensor_no_storage", "torch._utils._rebuild_nested_tensor"),
    "torch._utils._rebuild_qtensor",
    *(f"{module}.{name}" for module in ("builtins", "__builtin__") for name in ("set", "dict", "list", "int", "float")),
    *("torch.per_tensor_affine", "torch.per_channel_affine", "torch.quint8", "torch.qint8", "torch.qint32"),
)


def _ordered(pairs: object = ()) -> dict[object, object]:
    """An OrderedDict; Python 2 wrote its items as pairs."""
    found: dict[object, object] = {}
    for pair in _listed(pairs):
        values = _listed(pair)
        if len(values) != 2:
            raise DamagedError("its pickle has a dict of what are no pairs")
        found[values[0] if isinstance(values[0], str) else object()] = values[1]
    return found


def _listed(values: Any) -> Sequence[object]:
    if type(values) not in (list, tuple):
        raise DamagedError("its pickle has a dict of what are no pairs, or a size of no numbers")
    return values


def _tensor(storage: object, offset: object, shape: object, strides: object, *_: object) -> Stored:
    return tensor(None, storage, offset, shape, strides)


def _tensor_of(storage: object, offset: object, shape: object, strides: object, *rest: object) -> Stored:
    """The form for types that have no storage of their own: the element type is the third of ``rest``."""
    dtype = rest[2] if len(rest) > 2 else None
    name = dtype.name.removeprefix("torch.") if isinstance(dtype, Global) else ""
    if name not in ELEMENTS:
        raise DamagedError("a tensor has no known element type")
    return tensor(name, storage, offset, shape, strides)


def _same(value: object, *_: object) -> object:
    return value


def _size(values: object = ()) -> tuple[object, ...]:
    return tuple(_listed(values))


def _empty(*_: object) -> dict[object, object]:
    return {}


def _with_attributes(function: object, _: object, arguments: object, *__: object) -> object:
    """A tensor that carries attributes: they go, the tensor stays."""
    if not isinstance(function, Global) or function.name == _ATTRIBUTES:
        raise DamagedError("its pickle calls what is no name")
    return call(function.name, arguments)


_ATTRIBUTES = "torch._tensor._rebuild_from_type_v2"
_CALLS: Mapping[str, Callable[..., object]] = {
    "collections.OrderedDict": _ordered,
    "collections.defaultdict": _empty,
    "collections.Counter": _empty,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _tensor_of,
    "torch._utils._rebuild_parameter": _same,
    "torch._utils._rebuild_parameter_with_state": _same,
    _ATTRIBUTES: _with_attributes,
    "torch.Size": _size,
}
_VALUES = {*STORAGES, *(f"torch.{name}" for name in ELEMENTS), "torch.Tensor", "torch.nn.parameter.Parameter"}


def call(name: str, arguments: object) -> object:
    """What a call by name gives; with arguments of None, only whether the name may stand in a pickle.

    Raises RefusedError, with the name, for one that is in no table.
    """
    if name in PASSED_OVER or (name in _VALUES and arguments is None):
        return Opaque(name)
    function = _CALLS.get(name)
    if function is None:
        raise RefusedError(f"refused, because it holds a call to {plain(name)} {_NO_CODE}")
    if arguments is None:
        return None
    if not isinstance(arguments, tuple):
        raise DamagedError(f"its pickle calls {name} wrongly")
    try:
        return function(*arguments)
    except TypeError:
        raise DamagedError(f"its pickle calls {name} with {len(arguments)} arguments") from None
