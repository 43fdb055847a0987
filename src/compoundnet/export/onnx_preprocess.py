"""Preprocessing as ONNX: uint8 pictures of any size to what the network was trained on.

Resize with antialiasing on uint8 is fixed-point and rounds between its two passes in ONNX Runtime,
as in Pillow: at most one of 255 levels apart, in fewer than one pixel in a thousand.
"""

from typing import TYPE_CHECKING

from compoundnet.preprocess import Preprocess

from .graph import INPUT, PICTURES, resized_sides

if TYPE_CHECKING:
    import onnx

_DOUBLE, _FLOAT, _INT64 = 11, 1, 7

_SIDES = """
  shape = Shape <start = 1, end = 3> (pictures)
  batch = Shape <start = 0, end = 1> (pictures)
  colours = Constant <value_ints = [3]> ()
  zero = Constant <value_ints = [0]> ()
  one = Constant <value_ints = [1]> ()
  two = Constant <value_ints = [2]> ()
  height = Slice (shape, zero, one)
  width = Slice (shape, one, two)
  tall = Constant <value_ints = [{tall}]> ()
  wide = Constant <value_ints = [{wide}]> ()
"""

# The arithmetic of images.arrays: side = max(1, int(crop * min(height, width * tall / wide))), and the same across.
_CROP = """
  axes = Constant <value_ints = [1, 2]> ()
  h = Cast <to = {double}> (height)
  w = Cast <to = {double}> (width)
  t = Cast <to = {double}> (tall)
  v = Cast <to = {double}> (wide)
  wt = Mul (w, t)
  ht = Mul (h, v)
  across = Div (wt, v)
  down = Div (ht, t)
  rows = Min (h, across)
  columns = Min (w, down)
  kept_rows = Mul (crop, rows)
  kept_columns = Mul (crop, columns)
  whole_rows = Cast <to = {int64}> (kept_rows)
  whole_columns = Cast <to = {int64}> (kept_columns)
  side_y = Max (one, whole_rows)
  side_x = Max (one, whole_columns)
  free_y = Sub (height, side_y)
  free_x = Sub (width, side_x)
  odd_y = Add (free_y, one)
  odd_x = Add (free_x, one)
  top = Div (odd_y, two)
  left = Div (odd_x, two)
  bottom = Add (top, side_y)
  right = Add (left, side_x)
  starts = Concat <axis = 0> (top, left)
  ends = Concat <axis = 0> (bottom, right)
  window = Slice (pictures, starts, ends, axes)
  planes = Transpose <perm = [0, 3, 1, 2]> (window)
  sides = Concat <axis = 0> (batch, colours, tall, wide)
  seen = {resize} (planes, , , sides)
"""

_RESIZE = """
  rows = Constant <value_ints = [{rows}]> ()
  columns = Constant <value_ints = [{columns}]> ()
  four = Constant <value_ints = [4]> ()
  three = Constant <value_ints = [3]> ()
  rw = Mul (rows, width)
  ch = Mul (columns, height)
  wider = Div (rw, height)
  taller = Div (ch, width)
  new_columns = Max (columns, wider)
  new_rows = Max (rows, taller)
  planes = Transpose <perm = [0, 3, 1, 2]> (pictures)
  sides = Concat <axis = 0> (batch, colours, new_rows, new_columns)
  whole = {resize} (planes, , , sides)
  grown = Concat <axis = 0> (new_rows, new_columns)
  size = Concat <axis = 0> (tall, wide)
  free = Sub (grown, size)
  half = Div (free, two)
  rest = Mod (free, four)
  up = Div (rest, three)
  starts = Add (half, up)
  ends = Add (starts, size)
  planes_axes = Constant <value_ints = [2, 3]> ()
  seen = Slice (whole, starts, ends, planes_axes)
"""

_NORMALISE = """
  numbers = Cast <to = {float}> (seen)
  full = Constant <value_float = 255.0> ()
  unit = Div (numbers, full)
  centred = Sub (unit, mean)
  images = Div (centred, std)
"""


def preprocessed(network: "onnx.ModelProto", preprocess: Preprocess, any_batch: bool) -> "onnx.ModelProto":
    """The network behind its preprocessing: input ``pictures``, uint8 (N, height, width, 3)."""
    import onnx
    from onnx import compose

    before = model(preprocess, any_batch, network.ir_version, network.opset_import[0].version)
    prefixed = compose.add_prefix(before, "prepare/", rename_inputs=False, rename_outputs=False)
    merged = compose.merge_models(prefixed, network, io_map=[(INPUT, INPUT)])
    onnx.checker.check_model(merged)
    return merged


def model(preprocess: Preprocess, any_batch: bool, ir: int, opset: int) -> "onnx.ModelProto":
    """The preprocessing alone: uint8 ``pictures`` to float32 ``images``."""
    import numpy as np
    import onnx

    (tall, wide), (rows, columns) = preprocess.size, resized_sides(preprocess)
    mode = {"bicubic": "cubic", "bilinear": "linear"}[preprocess.interpolation]
    resize = f'Resize <mode = "{mode}", antialias = 1, cubic_coeff_a = -0.5, exclude_outside = 1>'
    body = _SIDES + (_CROP if preprocess.order == "crop_then_resize" else _RESIZE) + _NORMALISE
    fields = {"tall": tall, "wide": wide, "rows": rows, "columns": columns, "resize": resize}
    kinds = {"double": _DOUBLE, "float": _FLOAT, "int64": _INT64}
    batch = "batch" if any_batch else "1"
    text = (
        f'<ir_version: {ir}, opset_import: ["" : {opset}]>\n'
        f"prepare (uint8[{batch}, height, width, 3] {PICTURES}) => (float[{batch}, 3, {tall}, {wide}] {INPUT})\n"
        f"{{{body.format(**fields, **kinds)}}}"
    )
    model = onnx.parser.parse_model(text)
    triples = {name: np.array(getattr(preprocess, name), np.float32)[:, None, None] for name in ("mean", "std")}
    crop = {"crop": np.array([preprocess.crop], np.float64)} if preprocess.order == "crop_then_resize" else {}
    constants = {**crop, **triples}
    model.graph.initializer.extend(onnx.numpy_helper.from_array(value, name) for name, value in constants.items())
    return model
