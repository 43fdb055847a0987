"""The command that shows what in a photo speaks for a class: cam."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from compoundnet.schema import near, require_choice, require_count

from .loading import loaded
from .output import safe, whole, write, write_json, write_table

if TYPE_CHECKING:
    from PIL import Image

    from compoundnet.cam import Activation
    from compoundnet.weights import Pretrained, Weights

    Row: TypeAlias = tuple[Image.Image, list[Activation]]

_MOST_PICTURES = 64
_LEAST, _MOST = 64, 1024  # pixels a side of one picture


def cam(
    paths: Sequence[str],
    out: str,
    model: str = "efficientnet_lite0",
    label: str | None = None,
    method: str = "cam",
    side: int = 320,
    json: bool = False,
) -> int:
    """Draw what in photos speaks for a class, as a figure with one column for each model.

    Args:
        out: the .png to write
        model: names with weights (see models), weights files or folders of runs, with commas between; default:
            efficientnet_lite0
        label: the class, by name or index; default: each model's most probable one
        method: cam, exact where the head pools and has one layer, or grad (Grad-CAM); default: cam
        side: pixels of the longer side of each picture; default: 320
    """
    require_choice(method, ("cam", "grad"), "method")
    require_count(side, "side")
    if not _LEAST <= side <= _MOST:
        raise ValueError(f"--side: {side}; from {_LEAST} to {_MOST} pixels")
    if Path(out).suffix.lower() != ".png":
        raise ValueError(f"--out: {safe(out)}; the figure is a .png")
    files = _files(paths)
    models = {name: loaded(name) for name in model.split(",")}
    if len(files) * len(models) > _MOST_PICTURES:
        raise ValueError(f"{len(files)} photos of {len(models)} models; at most {_MOST_PICTURES} pictures are drawn")
    labels = [None if label is None else _place(label, each.weights) for each in models.values()]
    with whole(out) as file:
        rows, errors = _rows(files, list(models.values()), labels, method, side)
        if not rows:
            raise ValueError(errors[0])
        _drawn(list(models), [row for _, row in rows]).save(file.buffer, "PNG")
    for line in errors:
        sys.stderr.write(f"compoundnet: error: {line}\n")
    _say(out, [path for path, _ in rows], list(models), [found for _, (_, found) in rows], json)
    return 1 if errors else 0


def _rows(
    files: Sequence[str], models: "Sequence[Pretrained]", labels: Sequence[int | None], method: Any, side: int
) -> "tuple[list[tuple[str, Row]], list[str]]":
    """Every photo with its row, and one line for each that cannot be read."""
    from compoundnet.images import ImageError

    rows: list[tuple[str, Row]] = []
    errors: list[str] = []
    for path in files:
        try:
            rows.append((path, _row(path, models, labels, method, side)))
        except ImageError as error:
            errors.append(str(error))
    return rows, errors


def _files(paths: Sequence[str]) -> list[str]:
    from compoundnet.prediction import expand

    entries = expand(paths)
    for entry in entries:
        if entry.error is not None:
            raise ValueError(entry.error)
    if not entries:
        raise ValueError("PATHS is missing; name pictures, folders or globs")
    return [entry.path for entry in entries]


def _place(label: str, weights: "Weights") -> int:
    """The output that a class is."""
    if label in weights.classes:
        return weights.classes.index(label)
    if label.isascii() and label.isdecimal() and len(label) <= 9 and int(label) < weights.network.classes:
        return int(label)
    last = weights.network.classes - 1
    hint = f"{near(label, weights.classes)} or an index from 0 to {last}"
    raise ValueError(f"--label: {weights.name} has no class {safe(label)!r}; {hint}")


def _row(path: str, models: "Sequence[Pretrained]", labels: Sequence[int | None], method: Any, side: int) -> "Row":
    """A photo, small, and its maps; of many photos only one is in memory at its full size."""
    from PIL import Image

    from compoundnet.cam import activation
    from compoundnet.images import decode

    photo = decode(path)
    size = _size(photo.size, side)
    maps = [activation(each, photo, at, method=method, out=size) for each, at in zip(models, labels, strict=True)]
    return photo.resize(size, Image.Resampling.LANCZOS), maps


def _size(photo: tuple[int, int], side: int) -> tuple[int, int]:
    """Width and height with the longer one as asked."""
    longer = max(photo)
    return max(1, round(photo[0] * side / longer)), max(1, round(photo[1] * side / longer))


def _drawn(models: Sequence[str], rows: "Sequence[Row]") -> "Image.Image":
    from compoundnet.cam import blended, figure

    drawn = []
    for small, maps in rows:
        cells = [
            (blended(small, each.over), [safe(Path(model).name), f"{safe(each.name)}, {each.probability:.1%}"])
            for model, each in zip(models, maps, strict=True)
        ]
        drawn.append([(small, ["photo", ""]), *cells])
    return figure(drawn)


def _say(
    out: str, paths: Sequence[str], models: Sequence[str], found: Sequence[Sequence["Activation"]], json: bool
) -> None:
    pairs = [(path, model) for path in paths for model in models]
    lines = [(*pair, each) for pair, each in zip(pairs, (each for row in found for each in row), strict=True)]
    if json:
        write_json({"out": out, "maps": [_as_json(path, model, each) for path, model, each in lines]})
        return
    rows = [
        [safe(path), safe(model), safe(each.name), f"{each.probability:.1%}", _brightest(each)]
        for path, model, each in lines
    ]
    write_table(["Photo", "Model", "Class", "Probability", "Strongest at"], rows)
    write(f"Drawn: {safe(out)}")


def _as_json(path: str, model: str, found: "Activation") -> dict[str, Any]:
    """One map; its mean and the class's bias are the logit (method cam)."""
    about = {"index": found.label, "label": found.name, "logit": found.logit, "probability": found.probability}
    return {"path": path, "model": model, **about, "map": found.map.tolist()}


def _brightest(found: "Activation") -> str:
    """Where in the photo the map is greatest, in percent from its left and top edge."""
    import numpy as np

    row, column = np.unravel_index(int(np.nanargmax(found.over)), found.over.shape)
    return f"{(column + 0.5) / found.over.shape[1]:.0%} across, {(row + 0.5) / found.over.shape[0]:.0%} down"
