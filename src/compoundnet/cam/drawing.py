"""Maps over photos, and photos beside each other: what Fig. 7 of the paper shows, as pictures."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from compoundnet.schema import require

# Dark to bright in even steps of lightness, so that grey printouts and colour-blind eyes read it too.
HEAT = np.array([(20, 10, 60), (110, 25, 110), (205, 60, 75), (250, 150, 35), (250, 240, 120)], np.float32)
OPACITY = 0.65
MOST_SIDE = 4096  # of a picture that is drawn
_LINE, _GAP = 18, 6  # pixels of a caption's line and between pictures
_UNSEEN = 0.35  # of the brightness is left where the network sees nothing


def blended(photo: Image.Image, map_HW: NDArray[np.floating]) -> Image.Image:
    """A map over a picture, resized to it: clear at its least value, bright at its greatest.

    A flat map changes nothing. Where the map is not a number the picture is darkened: the network does not see it.
    Raises FieldError for pictures larger than MOST_SIDE.
    """
    require(max(photo.size) <= MOST_SIDE, "photo", f"{photo.size} pixels; at most {MOST_SIDE} a side are drawn")
    unseen_HW = np.isnan(map_HW)
    known = map_HW[~unseen_HW]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
    heat_HW = np.where(unseen_HW, 0.0, (map_HW - low) / (high - low) if high > low else 0.0).astype(np.float32)
    if (map_HW.shape[1], map_HW.shape[0]) != photo.size:
        heat_HW = np.asarray(Image.fromarray(heat_HW).resize(photo.size, Image.Resampling.BICUBIC), np.float32)
        unseen_HW = np.asarray(Image.fromarray(unseen_HW).resize(photo.size, Image.Resampling.NEAREST))
    heat_HW = np.clip(heat_HW, 0, 1)
    steps = np.linspace(0, 1, len(HEAT))
    colour_HWC = np.stack([np.interp(heat_HW, steps, channel) for channel in HEAT.T], axis=-1)
    opacity_HW1 = OPACITY * heat_HW[..., None]
    mixed_HWC = (1 - opacity_HW1) * np.asarray(photo, np.float32) + opacity_HW1 * colour_HWC
    mixed_HWC[unseen_HW] *= _UNSEEN
    return Image.fromarray(np.rint(mixed_HWC).astype(np.uint8))


def figure(rows: Sequence[Sequence[tuple[Image.Image, Sequence[str]]]]) -> Image.Image:
    """Pictures in rows, each with lines of text below it, on white.

    All of a column become as wide as its widest. Raises FieldError for no pictures, rows of different lengths, and a
    figure larger than MOST_SIDE.

    >>> dot = Image.new("RGB", (40, 30))
    >>> figure([[(dot, ["one"]), (dot, ["two"])]]).size
    (86, 48)
    """
    require(bool(rows) and bool(rows[0]), "rows", "no pictures; give at least one")
    require(len({len(row) for row in rows}) == 1, "rows", "of different lengths; a figure is a table")
    widths = [max(row[k][0].width for row in rows) for k in range(len(rows[0]))]
    heights = [max(picture.height + _LINE * len(lines) for picture, lines in row) for row in rows]
    size = sum(widths) + _GAP * (len(widths) - 1), sum(heights) + _GAP * (len(heights) - 1)
    require(max(size) <= MOST_SIDE, "rows", f"{size} pixels in all; at most {MOST_SIDE} a side are drawn")
    sheet = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    top = 0
    for row, height in zip(rows, heights, strict=True):
        left = 0
        for (picture, lines), width in zip(row, widths, strict=True):
            sheet.paste(picture, (left, top))
            for index, line in enumerate(lines):
                at = (left, top + picture.height + index * _LINE + 2)
                draw.text(at, _fitting(line, width, font), fill="black", font=font)
            left += width + _GAP
        top += height + _GAP
    return sheet


def _fitting(line: str, width: int, font: "ImageFont.FreeTypeFont | ImageFont.ImageFont") -> str:
    """As much of a line as is that wide."""
    if font.getlength(line) <= width:
        return line
    while line and font.getlength(line + "...") > width:
        line = line[:-1]
    return line + "..."
