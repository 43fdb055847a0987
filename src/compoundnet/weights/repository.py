"""A repository of timm on the Hugging Face hub, as a folder: weights, and a config.json that says how to use them.

Fields as timm writes them (timm/models/_hub.py, push_to_hf_hub), also in the form of before version 0.9.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from compoundnet.preprocess import IMAGENET_MEAN, IMAGENET_STD, Interpolation, Triple
from compoundnet.schema import FieldError, decode, near, shown

from .catalogue import habit, known
from .errors import CheckpointError
from .told import NOTHING, Told

CONFIG = "config.json"
FILES = ("model.safetensors", "pytorch_model.bin")  # the first that is there is read
_MOST = 16 << 20  # bytes of a config.json; one with 21,841 class names has 2 MB
_LARGEST = 4096  # pixels of a side
_EDGETPU = {"efficientnet_es": "s", "efficientnet_em": "m", "efficientnet_el": "l"}
_MOBILE = {"mobilenetv1_100": "mobilenet_v1", "mobilenetv2_100": "mobilenet_v2"}
_TRAINED = re.compile(r"_(ns|ap|aa|ra)(?=_|$)")  # what old names say of the training


@dataclass(frozen=True, kw_only=True)
class _Fields:
    """What is read of a config.json; the rest is of no use here."""

    architecture: str
    input_size: tuple[int, int, int]
    num_classes: int | None = None
    crop_pct: float = 0.875
    crop_mode: str = "center"
    interpolation: Interpolation = "bicubic"
    mean: Triple = IMAGENET_MEAN
    std: Triple = IMAGENET_STD
    label_names: tuple[str, ...] = ()
    license: str = "unknown"


def weights_file(folder: Path) -> Path | None:
    """The file with the weights in a folder of a run or a repository; None where there is none."""
    return next((folder / name for name in FILES if (folder / name).is_file()), None)


def by_config(folder: Path) -> Told:
    """What the config.json of a folder tells; nothing without one.

    Raises CheckpointError, one line, for a config.json that is none of timm's, is of another network, or has an
    impossible value.
    """
    path = folder / CONFIG
    if not path.is_file():
        return NOTHING
    try:
        found = _fields(path)
        return _told(found)
    except FieldError as error:
        raise CheckpointError(f"{path}: {error}") from None
    except (ValueError, RecursionError, OSError) as error:
        raise CheckpointError(f"{path}: could not be read as JSON ({error!s:.80})") from None


def _fields(path: Path) -> _Fields:
    with path.open("rb") as file:
        text = file.read(_MOST + 1)
    if len(text) > _MOST:
        raise FieldError("", f"more than {_MOST:,} bytes; timm's have a few thousand")
    data = json.loads(text)
    if not isinstance(data, Mapping):
        raise FieldError("", f"expected an object, got {shown(data)}")
    if "architecture" not in data:
        kind = f"it is transformers' {shown(data['model_type'])}" if "model_type" in data else "timm writes it"
        raise FieldError("architecture", f"missing; {kind}; give the file with the weights itself")
    inner = data.get("pretrained_cfg", {})
    if not isinstance(inner, Mapping):
        raise FieldError("pretrained_cfg", f"expected an object, got {shown(inner)}")
    wanted = {field.name for field in fields(_Fields)}
    outer = {key: data[key] for key in ("architecture", "num_classes", "label_names") if key in data}
    merged: dict[str, Any] = {**(inner or data), **outer}
    return decode(_Fields, {key: value for key, value in merged.items() if key in wanted and value is not None})


def _told(found: _Fields) -> Told:
    channels, height, width = found.input_size
    if height != width or not 0 < height <= _LARGEST or channels < 1:
        raise FieldError("input_size", f"{shown(found.input_size)} is not (channels, side, side)")
    if not 0 < found.crop_pct <= 1:
        raise FieldError("crop_pct", f"{found.crop_pct!r} is not a share in (0, 1]")
    if found.crop_mode != "center":
        raise FieldError("crop_mode", f"{shown(found.crop_mode)} is not read; give the file with the weights itself")
    if found.label_names and found.num_classes and len(found.label_names) != found.num_classes:
        raise FieldError("label_names", f"{len(found.label_names)} names for {found.num_classes} classes")
    member = member_of(found.architecture)
    row = replace(
        habit("timm", member, found.architecture),
        size=height,
        crop=found.crop_pct,
        interpolation=found.interpolation,
        mean=found.mean,
        std=found.std,
        doubt="",
    )
    row.preprocess(known()[member])  # raises FieldError for what no picture can be turned into
    return Told(
        member=member,
        surely=True,
        habit=row,
        outputs=found.num_classes,
        classes=found.label_names,
        ecosystem="timm",
        source=f"a repository of timm's {found.architecture}",
        licence=found.license,
        by=f"its {CONFIG}",
    )


def member_of(architecture: str) -> str:
    """The member of our families that timm calls by this name. Raises FieldError with near names for another one.

    >>> member_of("tf_efficientnet_b0_ns"), member_of("efficientnet_es"), member_of("tf_efficientnet_l2_ns_475")
    ('efficientnet_b0', 'efficientnet_edgetpu_s', 'efficientnet_l2_475')
    """
    name = _TRAINED.sub("", architecture.removeprefix("tf_"))
    if name in _EDGETPU:
        return f"efficientnet_edgetpu_{_EDGETPU[name]}"
    name = _MOBILE.get(name, name)
    ours = [each for each in known() if each != "tiny"]  # which is ours alone
    if name not in ours:
        raise FieldError("architecture", f"{shown(architecture)} is no network of ours; {near(name, ours)}")
    return name
