"""OpenVINO: an .xml file with the graph and record, and a .bin file with the weights beside it."""

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compoundnet.engines.openvino_core import openvino_core
from compoundnet.preprocess import Preprocess

from . import onnx
from .graph import PICTURES, resized_sides
from .record import KEY, Record

if TYPE_CHECKING:
    import openvino as ov

    from compoundnet.modules import ConvNet

    from .proof import Run

# OpenVINO computes in bfloat16 where the processor has it, too coarse for sizes; these stay whole numbers. Every
# released crop, such as 224 / 256, is a fraction with a denominator below this.
_DENOMINATOR = 1000


def write(model: "ConvNet", record: Record, path: Path) -> None:
    """Write both files, the weights in float32."""
    network = openvino_core().read_model(onnx.graph(model, record.options, record.preprocess.size).SerializeToString())
    if record.options.include_preprocess:
        network = _preprocessed(network, record)
    save(network, record, path)


def save(network: "ov.Model", record: Record, path: Path) -> None:
    """Write a graph with its record."""
    import openvino as ov

    network.set_rt_info(record.to_json(), [KEY])
    ov.save_model(network, path, compress_to_fp16=False)


def _preprocessed(network: "ov.Model", record: Record) -> "ov.Model":
    """The network behind its preprocessing: input ``pictures``, uint8 (N, height, width, 3)."""
    import openvino as ov
    from openvino import opset13 as ops

    batch = -1 if record.options.dynamic else 1
    pictures = ops.parameter(ov.PartialShape([batch, -1, -1, 3]), ov.Type.u8, PICTURES)
    pictures.output(0).set_names({PICTURES})
    images = _images(pictures, record.preprocess)
    parameter = network.get_parameters()[0]
    for target in parameter.output(0).get_target_inputs():
        target.replace_source_output(images.output(0))
    make: Any = ov.Model  # its annotations know other kinds of nodes only
    merged = make(network.get_results(), [pictures], "compoundnet")
    merged.validate_nodes_and_infer_types()
    return merged


def _images(pictures: Any, preprocess: Preprocess) -> Any:
    import numpy as np
    import openvino as ov
    from openvino import opset13 as ops

    resized = _cropped if preprocess.order == "crop_then_resize" else _resized
    mean, std = (np.array(triple, np.float32)[None, :, None, None] for triple in (preprocess.mean, preprocess.std))
    unit = ops.divide(ops.convert(resized(pictures, preprocess), ov.Type.f32), np.float32(255))
    return ops.divide(ops.subtract(unit, mean), std)


def _sides(pictures: Any) -> Any:
    from openvino import opset13 as ops

    return ops.gather(ops.shape_of(pictures, "i64"), _ints(1, 2), _ints(0)[0])


def _ints(*values: int) -> Any:
    """A constant of whole numbers."""
    import numpy as np

    return np.array(values, np.int64)


def _cropped(pictures: Any, preprocess: Preprocess) -> Any:
    from openvino import opset13 as ops

    (tall, wide), sides = preprocess.size, _sides(pictures)
    crop, aspect = Fraction(preprocess.crop).limit_denominator(_DENOMINATOR), Fraction(tall, wide)
    # int(crop * min(height, width * tall / wide)) is the smaller of both products rounded down; and the same across.
    own = _times(sides, crop, crop)
    other = _times(ops.gather(sides, _ints(1, 0), _ints(0)[0]), crop * aspect, crop / aspect)
    window = ops.maximum(ops.minimum(own, other), _ints(1))
    starts = _divided(ops.add(ops.subtract(sides, window), _ints(1)), _ints(2))
    cut = ops.slice(pictures, starts, ops.add(starts, window), _ints(1, 1), _ints(1, 2))
    return _interpolated(cut, _ints(tall, wide), preprocess)


def _times(sides: Any, down: Fraction, across: Fraction) -> Any:
    """Height times one fraction and width times another, rounded down."""
    from openvino import opset13 as ops

    product = ops.multiply(sides, _ints(down.numerator, across.numerator))
    return _divided(product, _ints(down.denominator, across.denominator))


def _resized(pictures: Any, preprocess: Preprocess) -> Any:
    from openvino import opset13 as ops

    size, sides, least = _ints(*preprocess.size), _sides(pictures), _ints(*resized_sides(preprocess))
    swapped = ops.gather(sides, _ints(1, 0), _ints(0)[0])
    other = _divided(ops.multiply(sides, _ints(*reversed(resized_sides(preprocess)))), swapped)
    grown = ops.maximum(least, other)
    free = ops.subtract(grown, size)
    up = _divided(ops.floor_mod(free, _ints(4)), _ints(3))
    starts = ops.add(_divided(free, _ints(2)), up)
    whole = _interpolated(pictures, grown, preprocess)
    return ops.slice(whole, starts, ops.add(starts, size), _ints(1, 1), _ints(2, 3))


def _divided(numerator: Any, denominator: Any) -> Any:
    """Whole numbers divided and rounded down; OpenVINO may round up, so the remainder goes first."""
    from openvino import opset13 as ops

    return ops.divide(ops.subtract(numerator, ops.floor_mod(numerator, denominator)), denominator)


def _interpolated(pictures: Any, sides: Any, preprocess: Preprocess) -> Any:
    """OpenVINO has Pillow's filters by name; on uint8 they round between the two passes as Pillow does."""
    from openvino import opset13 as ops

    planes = ops.transpose(pictures, _ints(0, 3, 1, 2))
    mode = f"{preprocess.interpolation}_pillow"
    return ops.interpolate(planes, sides, mode, "sizes", axes=_ints(2, 3), cube_coeff=-0.5)


def weights_file(path: Path) -> Path:
    """The .bin file beside an .xml file."""
    return path.with_suffix(".bin")


def contents(path: Path) -> list[bytes]:
    """What the seal covers: both files."""
    return [path.read_bytes(), weights_file(path).read_bytes()]


def read_record(path: Path) -> str:
    """The record's JSON text."""
    return openvino_core().read_model(path).get_rt_info([KEY]).astype(str)


def runner(path: Path, record: Record) -> "Run":
    """Run the model with OpenVINO on the CPU, in float32."""
    compiled = openvino_core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    count = 1 + record.options.cam
    return lambda images: [compiled(images)[k] for k in range(count)]
