"""ONNX: the exported program's graph, sizes freed, preprocessing in front, the record in its metadata."""

import ast
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compoundnet.modules import SameConv2d, SameMaxPool2d

from .graph import INPUT, Answering, output_names
from .record import KEY, ArtefactError, Options, Record

if TYPE_CHECKING:
    import numpy as np
    import onnx
    import torch
    from numpy.typing import NDArray

    from compoundnet.modules import ConvNet

    from .proof import Run

_SCOPES = "pkg.torch.onnx.name_scopes"


def write(model: "ConvNet", record: Record, path: Path) -> None:
    """Write the network as ONNX (opset 20) with its record."""
    from .onnx_preprocess import preprocessed

    proto = graph(model, record.options, record.preprocess.size)
    if record.options.include_preprocess:
        proto = preprocessed(proto, record.preprocess, record.options.dynamic is not None)
    save(proto, record, path)


def save(proto: "onnx.ModelProto", record: Record, path: Path) -> None:
    """Write a graph with its record, in place of what other metadata it has."""
    import onnx

    del proto.metadata_props[:]
    entry = proto.metadata_props.add()
    entry.key, entry.value = KEY, record.to_json()
    onnx.checker.check_model(proto)
    path.write_bytes(proto.SerializeToString())


def graph(model: "ConvNet", options: Options, size: tuple[int, int]) -> "onnx.ModelProto":
    """The network alone: float32 ``images`` to ``logits`` and, when asked for, ``cam``.

    Nodes are named after the module they come from: ``stages.0.0.project.conv/Conv``.
    """
    import torch

    from compoundnet.engines.forms import quiet

    with quiet():
        exported = torch.onnx.export(
            program(Answering(model, options.cam), options, size),
            dynamo=True,
            verbose=False,
            input_names=[INPUT],
            output_names=output_names(options),
        )
    assert exported is not None
    proto = exported.model_proto
    _name_nodes(proto.graph)
    for node in [*proto.graph.node, *proto.graph.value_info, *proto.graph.initializer, *proto.graph.input]:
        del node.metadata_props[:]  # the exporter's notes, with paths of this machine's files
    _name_sizes(proto, model, options)
    return proto


def _name_nodes(graph: "onnx.GraphProto") -> None:
    """By the exporter's notes: the modules around a node, outermost first, and the operation's own name."""
    seen: Counter[str] = Counter()
    for node in graph.node:
        notes = {entry.key: entry.value for entry in node.metadata_props}
        scopes = ast.literal_eval(notes.get(_SCOPES, "[]"))[:-1]
        name = f"{scopes[-1].removeprefix('net.') if scopes else ''}/{node.op_type}"
        seen[name] += 1
        node.name = name if seen[name] == 1 else f"{name}_{seen[name]}"


def program(network: "torch.nn.Module", options: Options, size: tuple[int, int]) -> "torch.export.ExportedProgram":
    """The traced network, for any batch when asked for, for images of ``size`` only."""
    import torch

    batch = {0: torch.export.Dim("batch", min=1, max=1 << 16)} if options.dynamic else None
    images = torch.zeros(2 if batch else 1, 3, *size)
    return torch.export.export(network, (images,), dynamic_shapes=(batch,))


def _name_sizes(proto: "onnx.ModelProto", model: "ConvNet", options: Options) -> None:
    """Name what may vary; for any height and width, let padding follow the input.

    The trace knows one size. Only SAME padding depends on it, and ONNX has that rule as
    auto_pad=SAME_UPPER: quicker than computing pads, and than tracing with symbolic sizes.
    """
    inputs, outputs = proto.graph.input[0], list(proto.graph.output)
    for value in (inputs, *outputs):
        if options.dynamic is not None:
            value.type.tensor_type.shape.dim[0].dim_param = "batch"
    if options.dynamic != "size":
        return
    _pad_in_layers(proto.graph, model)
    del proto.graph.value_info[:]
    for value, names in ((inputs, ("height", "width")), *((cam, ("map_height", "map_width")) for cam in outputs[1:])):
        for axis, name in enumerate(names, 2):
            value.type.tensor_type.shape.dim[axis].dim_param = name


def _pad_in_layers(graph: "onnx.GraphProto", model: "ConvNet") -> None:
    """Give SAME_UPPER to the layers that have SAME padding, which the exporter wrote for the traced size."""
    import onnx

    modules = dict(model.named_modules())
    weights = {f"net.{name}.weight" for name, module in modules.items() if isinstance(module, SameConv2d)}
    pools = any(isinstance(module, SameMaxPool2d) for module in modules.values())
    pads = {node.output[0]: node for node in graph.node if node.op_type == "Pad"}
    layers = [
        node
        for node in graph.node
        if (node.op_type == "Conv" and node.input[1] in weights) or (node.op_type == "MaxPool" and pools)
    ]
    for node in layers:
        if node.input[0] in pads:
            node.input[0] = pads[node.input[0]].input[0]
        kept = [attribute for attribute in node.attribute if attribute.name not in ("auto_pad", "pads")]
        del node.attribute[:]
        node.attribute.extend([*kept, onnx.helper.make_attribute("auto_pad", "SAME_UPPER")])
    used = {name for node in graph.node if node.op_type != "Pad" for name in node.input}
    for pad in [pad for name, pad in pads.items() if name not in used]:
        graph.node.remove(pad)
    used = {name for node in graph.node for name in node.input}
    for unused in [tensor for tensor in graph.initializer if tensor.name not in used]:
        graph.initializer.remove(unused)


def contents(path: Path) -> list[bytes]:
    """What the seal covers: the whole file."""
    return [path.read_bytes()]


def read_record(path: Path) -> str:
    """The record's JSON text. Raises ArtefactError for a model that something else exported."""
    import onnx

    proto = onnx.load_model(path, load_external_data=False)
    found = next((entry.value for entry in proto.metadata_props if entry.key == KEY), None)
    if found is None:
        raise ArtefactError("an ONNX model without a record of ours; export it with: compoundnet export")
    return found


def runner(path: Path, record: Record) -> "Run":
    """Run the file with ONNX Runtime on the CPU."""
    import numpy as np
    import onnxruntime

    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def run(images: "NDArray[Any]") -> "list[NDArray[np.float32]]":
        return [np.asarray(output) for output in session.run(output_names(record.options), {name: images})]

    return run
