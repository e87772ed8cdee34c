"""TensorFlow Lite files, read without TensorFlow: float MobileNets, and quantised ones, whose integers
are kept where they are quantised throughout."""
import numpy

from .. import check, flatbuffer
from ..archive import Archive
from ..errors import ImportFailure
from ..imported import from_graph
from ..structure import recognise as recognise_structure
from ..tflite_graph import Graph

NAME = "TensorFlow Lite model"


def recognise(data):
    return data[4:8] == b"TFL3"


def read(data, options):
    graph = Graph(data, options)
    structure = recognise_structure(graph.output, graph.height, graph.width)
    if graph.image_scale is not None:  # the image's bytes stand for other numbers
        scale, zero = graph.image_scale
        structure.shift = structure.shift - structure.scale * scale * zero
        structure.scale = structure.scale * scale
    imported = from_graph(structure, f"TensorFlow Lite ({_kind(graph)})", graph.height, graph.width,
                          graph.type, graph.fixed)
    if imported.mean is None:
        imported.mean, imported.std = _normalisation(graph.model)
    imported.exact, imported.output = not graph.quantised, graph.number
    if graph.integers is not None:
        imported.rescaling = graph.integers.arithmetic.name
        imported.notes += graph.integers.notes()
        imported.exact_integers = not graph.integers.falls_back
    imported.labels = _labels(data, imported.label_counts())
    return imported


def _kind(graph):
    if graph.integers is not None:
        return f"integers, {graph.integers.arithmetic.name} rescaling"
    return "quantised, here as floats" if graph.quantised else "float"


def _normalisation(model):
    """(mean, std) of pixels / 255 that the file's metadata ask for, or nothing."""
    try:
        return _process_units(model)
    except ImportFailure:  # damaged, but no part of the network
        return None, None


def _process_units(model):
    """The numbers are of TensorFlow Lite's schema of metadata: the first input's process units,
    those of type 1."""
    for entry in model.tables(6):
        if entry.text(0) != "TFLITE_METADATA":
            continue
        buffers, index = model.tables(4), entry.scalar(1, "u32")
        metadata = flatbuffer.root(buffers[index].bytes(0) if index < len(buffers) else b"")
        for graph in metadata.tables(3)[:1]:
            for image in graph.tables(2)[:1]:
                for unit in image.tables(4):
                    options = unit.table(1)
                    if unit.scalar(0, "u8") == 1 and options is not None:
                        mean, std = options.vector(0, "f32"), options.vector(1, "f32")
                        if mean and std and min(std) > 0:
                            return tuple(v / 255 for v in mean), tuple(v / 255 for v in std)
    return None, None


def reference(data, imported, options):
    try:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType
        runtime = "LiteRT"
    except ImportError:
        try:
            from tflite_runtime.interpreter import Interpreter, OpResolverType
            runtime = "tflite_runtime"
        except ImportError:
            return "LiteRT is not installed"
    resolver = {}
    if imported.rescaling == "fixed":
        resolver["experimental_op_resolver_type"] = OpResolverType.BUILTIN_REF
    interpreter = Interpreter(model_content=data, **resolver)
    image = interpreter.get_input_details()[0]
    planar = image["shape"][1] == imported.input_channels != image["shape"][3]
    signature = image.get("shape_signature", image["shape"])

    def run(images):
        if planar:
            images = images.transpose(0, 3, 1, 2)
        if any(size < 0 for size in signature):
            interpreter.resize_tensor_input(image["index"], images.shape)
        interpreter.allocate_tensors()
        output = interpreter.get_output_details()[imported.output]
        origin = 128 if image["dtype"] == numpy.int8 and imported.whole else 0
        interpreter.set_tensor(image["index"], (images - origin).astype(image["dtype"]))
        interpreter.invoke()
        values = interpreter.get_tensor(output["index"]).astype(numpy.float64)
        scale, zero = output["quantization"]
        return (values - zero) * scale if scale else values
    batch = signature[0] if signature[0] > 0 else 1
    return check.Reference(runtime, check.one_by_one(run, batch, imported))


def _labels(data, counts):
    """Class names that are packed into the file, as TensorFlow Lite's metadata has them."""
    try:
        archive = Archive(data)
        for name in archive.names:
            if name.endswith(".txt"):
                lines = archive.text(name).decode("utf-8").rstrip().split("\n")
                if len(lines) in counts and all(line.strip() for line in lines):
                    return [line.strip() for line in lines]
    except (ImportFailure, UnicodeDecodeError):  # there are no labels then
        pass
    return None
