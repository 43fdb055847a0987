"""Paths in Keras files to the names of the layouts in ``names_google``, and what is left out on the way."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TypeVar

from compoundnet.weights.errors import CheckpointError, first

T = TypeVar("T")
Notes = list[str]

_WHOLE_MODEL = "model_weights/"  # where model.save("x.h5") keeps the layers, beside the optimizer
_VARIABLES = "/vars/"
_LAYERS = ("layers/", "_layer_checkpoint_dependencies/")  # Keras 3, and 2.12 to 2.15
# The variables of a layer in the order of saving, by the kind of the layer.
_NUMBERED = {
    "conv2d": ("kernel", "bias"),
    "depthwise_conv2d": ("depthwise_kernel", "bias"),
    "dense": ("kernel", "bias"),
    "batch_normalization": ("gamma", "beta", "moving_mean", "moving_variance"),
    "normalization": ("mean", "variance", "count"),
}
_PREPROCESSING = re.compile(r"(normalization|rescaling)(_\d+)?/")
_NOT_LAYERS = ("top_level_model_weights/", "seed_generator")
_OLD_CLASSIFIER = "probs"  # of keras-applications 1.0


def wanted(paths: Iterable[str]) -> tuple[dict[str, str], Notes]:
    """The canonical name of each path that belongs to the network, and notes on what does not.

    Raises CheckpointError when two paths have one name.

    >>> wanted(["stem_conv/stem_conv/kernel:0"])
    ({'stem_conv/stem_conv/kernel:0': 'stem_conv/kernel'}, [])
    >>> wanted(["layers/conv2d_3/vars/1", "optimizer/vars/0"])
    ({'layers/conv2d_3/vars/1': 'conv2d_3/bias'}, ['left out: what is not the network, 1 array (optimizer/vars/0)'])
    """
    every = list(paths)
    inside = [path for path in every if path.startswith(_WHOLE_MODEL)] or every
    numbered = any(_VARIABLES in f"/{path}" for path in inside)
    found = _numbered(inside) if numbered else _named(inside)
    notes = _left_out("what is not the network", [path for path in every if path not in found])
    preprocessing = {path: name for path, name in found.items() if _PREPROCESSING.match(name)}
    if preprocessing:
        (note,) = _left_out("preprocessing inside the model", list(preprocessing.values()))
        notes.append(f"{note}; the record's preprocessing takes its place")
    found = {path: name for path, name in found.items() if path not in preprocessing}
    found, renamed = _classifier(found)
    twice = [name for name, count in Counter(found.values()).items() if count > 1]
    if twice:
        raise CheckpointError(f"several arrays have one name ({first(twice)}); save the network alone")
    return found, notes + renamed


def _left_out(what: str, names: list[str]) -> Notes:
    if not names:
        return []
    return [f"left out: {what}, {len(names)} {'array' if len(names) == 1 else 'arrays'} ({first(names)})"]


def _named(paths: Iterable[str]) -> dict[str, str]:
    """Layers by name: the last two parts of a path are the layer and its variable, ``:0`` aside."""
    found: dict[str, str] = {}
    for path in paths:
        layer, _, leaf = path.rpartition("/")
        layer = layer.rpartition("/")[2]
        leaf = leaf.removesuffix(":0")
        if not layer or any(part in path for part in _NOT_LAYERS):
            continue
        if leaf == "kernel" and layer.endswith("dwconv"):
            leaf = "depthwise_kernel"  # as Keras 2 names it; Keras 3 says kernel
        found[path] = f"{layer}/{leaf}"
    return found


def _numbered(paths: Iterable[str]) -> dict[str, str]:
    """Layers by kind and number, in the part of the model that holds most of them, and its classifier outside."""
    parts: dict[str, dict[str, str]] = {}
    for path in paths:
        scope, mark, rest = path.rpartition("/layers/") if path.count("/layers/") else ("", "", path)
        if not mark:
            rest = next((path.removeprefix(each) for each in _LAYERS if path.startswith(each)), "")
        layer, _, number = rest.partition(_VARIABLES)
        leaves = dict(zip("0123", _NUMBERED.get(re.sub(r"_\d+$", "", layer), ()), strict=False))
        if number in leaves:
            parts.setdefault(scope, {})[path] = f"{layer}/{leaves[number]}"
    if not parts:
        return {}
    body = max(parts, key=lambda scope: len(parts[scope]))
    if any(name.startswith("dense") for name in parts[body].values()):
        return parts[body]
    heads = {path: name for part in parts.values() for path, name in part.items() if name.startswith("dense")}
    return parts[body] | heads


def _classifier(found: Mapping[str, str]) -> tuple[dict[str, str], Notes]:
    """The one dense layer of a network with named layers is its classifier, whatever its name."""
    layers = {name.rpartition("/")[0] for name in found.values()}
    dense = sorted(layer for layer in layers if layer == _OLD_CLASSIFIER or re.fullmatch(r"dense(_\d+)?", layer))
    if "predictions" in layers or "stem_conv" not in layers or len(dense) != 1:
        return dict(found), []
    old = f"{dense[0]}/"
    renamed = {
        path: f"predictions/{name.removeprefix(old)}" if name.startswith(old) else name for path, name in found.items()
    }
    return renamed, [f"took the layer {dense[0]!r} as the classifier"]
