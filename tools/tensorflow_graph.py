"""A B0 of few channels in TensorFlow's own operations: trained for a moment, saved by TensorFlow, evaluated by it.

Run by ``tools/tensorflow_fixture.py`` with the Python of an environment that has TensorFlow; nothing of compoundnet is
used here but ``tests/bundles.py``, a writer of checkpoints, which TensorFlow judges. Names, order and rounding are
those of tensorflow/tpu, models/official/efficientnet (efficientnet_model.py).
"""

import hashlib
import importlib
import itertools
import json
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from tests import bundles

tf: Any = importlib.import_module("tensorflow")

MODEL = "efficientnet-b0"
AVERAGE = "/ExponentialMovingAverage"
STEM, HEAD, CLASSES, PIXELS, EPSILON = 4, 8, 10, 40, 1e-3
# kernel, expansion, layers, channels, stride: the stages of B0, narrower, and with fewer layers
STAGES = (
    (3, 1, 1, 4, 1),
    (3, 6, 1, 4, 2),
    (5, 6, 2, 5, 2),
    (3, 6, 1, 4, 2),
    (5, 6, 2, 5, 1),
    (5, 6, 2, 6, 2),
    (3, 6, 1, 5, 1),
)
STEPS, BATCH, DECAY = 3, 8, 0.9
Get = Callable[[str], Any]
Updates = list[tuple[str, Any]]


def blocks() -> Iterator[tuple[str, int, int, int, int, int]]:
    """Scope, kernel, expansion, channels in, channels out and stride of every block."""
    inputs, index = STEM, 0
    for kernel, expand, layers, channels, stride in STAGES:
        for layer in range(layers):
            yield f"{MODEL}/blocks_{index}", kernel, expand, inputs, channels, stride if layer == 0 else 1
            inputs, index = channels, index + 1


def norm_shapes(name: str, channels: int) -> dict[str, tuple[int, ...]]:
    """The four variables of a batch norm."""
    return {f"{name}/{leaf}": (channels,) for leaf in ("gamma", "beta", "moving_mean", "moving_variance")}


def shapes() -> dict[str, tuple[int, ...]]:
    """Every variable of the model, in the order in which the released code makes them."""
    found: dict[str, tuple[int, ...]] = {f"{MODEL}/stem/conv2d/kernel": (3, 3, 3, STEM)}
    found |= norm_shapes(f"{MODEL}/stem/tpu_batch_normalization", STEM)
    last = STEM
    for scope, kernel, expand, inputs, outputs, _ in blocks():
        wide, squeezed = inputs * expand, max(1, int(inputs * 0.25))
        convs, norms = numbered("conv2d"), numbered("tpu_batch_normalization")
        if expand != 1:
            found[f"{scope}/{next(convs)}/kernel"] = (1, 1, inputs, wide)
            found |= norm_shapes(f"{scope}/{next(norms)}", wide)
        found[f"{scope}/depthwise_conv2d/depthwise_kernel"] = (kernel, kernel, wide, 1)
        found |= norm_shapes(f"{scope}/{next(norms)}", wide)
        found |= {f"{scope}/se/conv2d/kernel": (1, 1, wide, squeezed), f"{scope}/se/conv2d/bias": (squeezed,)}
        found |= {f"{scope}/se/conv2d_1/kernel": (1, 1, squeezed, wide), f"{scope}/se/conv2d_1/bias": (wide,)}
        found[f"{scope}/{next(convs)}/kernel"] = (1, 1, wide, outputs)
        found |= norm_shapes(f"{scope}/{next(norms)}", outputs)
        last = outputs
    found[f"{MODEL}/head/conv2d/kernel"] = (1, 1, last, HEAD)
    found |= norm_shapes(f"{MODEL}/head/tpu_batch_normalization", HEAD)
    return found | {f"{MODEL}/head/dense/kernel": (HEAD, CLASSES), f"{MODEL}/head/dense/bias": (CLASSES,)}


def numbered(name: str) -> Iterator[str]:
    """The names that layers of one kind get in a scope: the first has no number."""
    yield name
    for index in range(1, 10):
        yield f"{name}_{index}"


def normed(x: Any, get: Get, name: str, updates: Updates | None) -> Any:
    """Batch norm by what it remembers, or, with ``updates``, by the batch, which goes there."""
    if updates is None:
        mean, variance = get(f"{name}/moving_mean"), get(f"{name}/moving_variance")
    else:
        mean, variance = tf.nn.moments(x, [0, 1, 2])
        updates += [(f"{name}/moving_mean", mean), (f"{name}/moving_variance", variance)]
    return tf.nn.batch_normalization(x, mean, variance, get(f"{name}/beta"), get(f"{name}/gamma"), EPSILON)


def swish(x: Any) -> Any:
    """x * sigmoid(x)."""
    return x * tf.sigmoid(x)


def conv(x: Any, get: Get, name: str, stride: int = 1) -> Any:
    """A convolution without bias, padded as TensorFlow's SAME."""
    return tf.nn.conv2d(x, get(f"{name}/kernel"), [1, stride, stride, 1], "SAME")


def block(x: Any, get: Get, row: tuple[str, int, int, int, int, int], updates: Updates | None) -> Any:
    """MBConvBlock: expansion, depthwise, squeeze and excitation, projection, and the sum where shapes allow."""
    scope, _, expand, inputs, outputs, stride = row
    convs, norms = numbered("conv2d"), numbered("tpu_batch_normalization")
    before = x
    if expand != 1:
        x = swish(normed(conv(x, get, f"{scope}/{next(convs)}"), get, f"{scope}/{next(norms)}", updates))
    x = tf.nn.depthwise_conv2d(x, get(f"{scope}/depthwise_conv2d/depthwise_kernel"), [1, stride, stride, 1], "SAME")
    x = swish(normed(x, get, f"{scope}/{next(norms)}", updates))
    gate = tf.reduce_mean(x, [1, 2], keepdims=True)
    gate = swish(conv(gate, get, f"{scope}/se/conv2d") + get(f"{scope}/se/conv2d/bias"))
    x *= tf.sigmoid(conv(gate, get, f"{scope}/se/conv2d_1") + get(f"{scope}/se/conv2d_1/bias"))
    x = normed(conv(x, get, f"{scope}/{next(convs)}"), get, f"{scope}/{next(norms)}", updates)
    return x + before if stride == 1 and inputs == outputs else x


def logits(x: Any, get: Get, updates: Updates | None = None) -> Any:
    """(N, PIXELS, PIXELS, 3) to (N, CLASSES); with ``updates`` in training mode, and what the norms saw goes there."""
    stem, head = f"{MODEL}/stem", f"{MODEL}/head"
    x = swish(normed(conv(x, get, f"{stem}/conv2d", 2), get, f"{stem}/tpu_batch_normalization", updates))
    for row in blocks():
        x = block(x, get, row, updates)
    x = swish(normed(conv(x, get, f"{head}/conv2d"), get, f"{head}/tpu_batch_normalization", updates))
    return tf.matmul(tf.reduce_mean(x, [1, 2]), get(f"{head}/dense/kernel")) + get(f"{head}/dense/bias")


def start(name: str, shape: tuple[int, ...], random: np.random.Generator) -> Any:
    """Numbers to begin with: not the released ones, but such that every variable changes the answer."""
    if name.endswith(("gamma", "moving_variance")):
        return random.uniform(0.5, 1.5, shape)
    if len(shape) == 1:
        return random.normal(0, 0.2, shape)
    fan = np.prod(shape[:2]) * (1 if name.endswith("depthwise_kernel") else shape[-2])
    return random.normal(0, np.sqrt(1.5 / fan), shape)


def trained(folder: Path) -> str:
    """Train a few steps with RMSProp and moving averages, and save all of it, as the released code does."""
    v1 = tf.compat.v1
    random = np.random.default_rng(0)
    with tf.Graph().as_default(), v1.Session() as session:
        kept = {
            name: v1.get_variable(
                name,
                initializer=start(name, shape, random).astype(np.float32),
                trainable=not name.rpartition("/")[2].startswith("moving"),
            )
            for name, shape in shapes().items()
        }
        step = v1.train.get_or_create_global_step()
        images = tf.constant(random.normal(size=(BATCH, PIXELS, PIXELS, 3)).astype(np.float32))
        labels = tf.constant(random.integers(0, CLASSES, BATCH))
        updates: Updates = []
        answers = logits(images, kept.__getitem__, updates)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=answers))
        trainer = v1.train.RMSPropOptimizer(0.01, decay=0.9, momentum=0.9, epsilon=0.001)
        moved = [v1.assign(kept[name], DECAY * kept[name] + (1 - DECAY) * seen) for name, seen in updates]
        with tf.control_dependencies([trainer.minimize(loss, global_step=step), *moved]):
            average = tf.train.ExponentialMovingAverage(DECAY).apply(list(kept.values()))
        session.run(v1.global_variables_initializer())
        for _ in range(STEPS):
            session.run(average)
        saver = v1.train.Saver(v1.global_variables())
        return saver.save(session, str(folder / "model.ckpt"), global_step=step, write_meta_graph=False)


def in_two(source: str, folder: Path) -> str:
    """The variables of the model and their averages, in two data files, as two machines save them together."""
    reader = tf.train.load_checkpoint(source)
    names = sorted(name for name in reader.get_variable_to_shape_map() if name.removesuffix(AVERAGE) in shapes())
    pieces = []
    for turn in range(2):
        mine = names[turn::2]
        pieces.append(str(folder / f"piece-{turn}"))
        save(pieces[-1], mine, [""] * len(mine), [reader.get_tensor(name) for name in mine])
    target = str(folder / "model.ckpt-3")
    tf.raw_ops.MergeV2Checkpoints(
        checkpoint_prefixes=pieces, destination_prefix=target, delete_old_dirs=False, allow_missing_files=False
    )
    return target


def save(prefix: str, names: list[str], places: list[str], tensors: list[Any]) -> None:
    """Save tensors; a place says which part of which shape one is ("" for all of it)."""
    tf.raw_ops.SaveV2(
        prefix=prefix,
        tensor_names=names,
        shape_and_slices=places,
        tensors=[tensor if tf.is_tensor(tensor) else tf.constant(tensor) for tensor in tensors],
    )


def kinds(folder: Path) -> str:
    """A variable of each type of number, one in four parts, one of text."""
    random = np.random.default_rng(1)
    rows: dict[str, Any] = {}
    for dtype in ("float32", "float64", "float16", "int8", "int16", "int32", "int64"):
        rows[dtype] = (random.normal(size=(3, 5)) * 50).astype(dtype)
    rows |= {dtype: random.integers(0, 200, (3, 5)).astype(dtype) for dtype in ("uint8", "uint16", "uint32", "uint64")}
    rows |= {"bool": random.integers(0, 2, (3, 5)).astype(bool), "text": np.array([b"one", b"two"])}
    rows["bfloat16"] = tf.cast(tf.constant(random.normal(size=(3, 5)).astype(np.float32)), tf.bfloat16)
    whole = random.normal(size=(70, 9)).astype(np.float32)
    places = {"70 9 0,66:0,4": whole[:66, :4], "70 9 0,66:4,5": whole[:66, 4:], "70 9 66,4:-": whole[66:]}
    prefix = str(folder / "kinds.ckpt")
    names = [*rows, *["parts"] * len(places)]
    save(prefix, names, [*[""] * len(rows), *places], [*rows.values(), *places.values()])
    return prefix


def expected(prefix: str) -> dict[str, Any]:
    """What TensorFlow itself reads from a checkpoint: shape, type, sum and hash of each variable of the model."""
    reader = tf.train.load_checkpoint(prefix)
    found: dict[str, Any] = {}
    for name in sorted(reader.get_variable_to_shape_map()):
        array = reader.get_tensor(name)
        if array.dtype == object or "/RMSProp" in name:
            continue
        digest = hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:16]
        total = float(np.asarray(array, np.float64).sum())
        found[name] = [list(array.shape), array.dtype.name, total, digest]
    return found


def answered(prefix: str) -> Mapping[str, Any]:
    """Pixels, and TensorFlow's logits for them in float64, with moving averages and without."""
    reader = tf.train.load_checkpoint(prefix)
    pixels = np.random.default_rng(2).integers(0, 256, (2, PIXELS, PIXELS, 3)).astype(np.uint8)
    images = tf.constant((pixels / 255 - 0.45) / 0.225)
    averaged = logits(images, lambda name: tf.constant(reader.get_tensor(name + AVERAGE), tf.float64))
    raw = logits(images, lambda name: tf.constant(reader.get_tensor(name), tf.float64))
    return {"pixels": pixels, "averaged": averaged.numpy(), "raw": raw.numpy()}


def judge(folder: Path) -> None:
    """Let TensorFlow read what the writer of the tests writes, in all of its forms."""
    arrays = bundles.trained()
    parted: list[dict[str, int] | None] = [None, {f"{MODEL}/head/dense/kernel": 3}]
    forms = itertools.product((1, 2, 5), (False, True), (False, True), parted)
    for index, (shards, big_endian, packed, parts) in enumerate(forms):
        prefix = bundles.bundle(arrays, shards, big_endian, packed, parts=parts).write(folder / str(index))
        reader = tf.train.load_checkpoint(str(prefix))
        if not all(np.array_equal(reader.get_tensor(name), array) for name, array in arrays.items()):
            raise SystemExit(f"TensorFlow reads something else: {shards} files, {big_endian=}, {packed=}, {parts=}")


def main(folder: Path) -> None:
    """Write the fixture into an empty folder, which is the working one: so no path of this machine is in it."""
    with tempfile.TemporaryDirectory() as judged:
        judge(Path(judged))
    places = {name: folder / name for name in ("one", "two", "kinds")}
    for place in places.values():
        place.mkdir()
    one = trained(places["one"])
    prefixes = {"one": one, "two": in_two(one, places["two"]), "kinds": kinds(places["kinds"])}
    np.savez_compressed(folder / "logits.npz", **answered(one))
    files = {name: {"prefix": Path(prefix).name, "variables": expected(prefix)} for name, prefix in prefixes.items()}
    files["two"].pop("variables")  # as in "one"
    text = json.dumps({"tensorflow": tf.__version__, **files})
    (folder / "expected.json").write_text(re.sub(r', (?="efficientnet|"\w+": \[\[)', ",\n", text) + "\n")


if __name__ == "__main__":
    main(Path())
