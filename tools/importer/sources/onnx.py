"""ONNX files, read without onnx: exports of MobileNets by torch, tf2onnx and Paddle, batch norm
folded or not, their weights in the file or beside it."""
from .. import check, protobuf
from ..errors import ImportFailure
from ..imported import from_graph
from ..integers import NotInIntegers
from ..onnx_graph import Graph
from ..structure import recognise as recognise_structure
from ..timm import IMAGENET_MEAN, IMAGENET_STD

NAME = "ONNX model"


def recognise(data):
    if data[:1] != b"\x08":  # ir_version
        return False
    try:
        return protobuf.Message(data).message(7) is not None
    except ImportFailure:
        return data[2:3] == b"\x12"  # producer_name: ONNX, but damaged


def read(data, options):
    if options.rescale == "fixed":
        raise ImportFailure("--rescale fixed: is of TensorFlow Lite files; ONNX Runtime rescales in "
                            "floats alone")
    model = protobuf.Message(data)
    graph, structure, notes = _structure(model, options)
    producer = model.text(2)
    kind = ", ".join([producer] * bool(producer)
                     + ["integers, float rescaling"] * (structure.integers is not None))
    imported = from_graph(structure, f"ONNX ({kind})" if kind else "ONNX",
                          graph.height, graph.width, graph.type, graph.fixed)
    imported.exact, imported.output = graph.exact, graph.number
    imported.notes += graph.notes + notes
    if structure.integers is not None:
        imported.rescaling, imported.arithmetic = "float", "onnx"
        imported.exact_integers = not graph.integers.between_floats
    if producer == "pytorch" and imported.mean is None and imported.input_channels == 3:
        imported.mean, imported.std = IMAGENET_MEAN, IMAGENET_STD
        if structure.resized is None:
            imported.resize = round(min(imported.height, imported.input_width) * 256 / 224)
        imported.notes.append("taken for granted: ImageNet's mean and std (--mean, --std)")
    return imported


def _structure(model, options):
    """(graph, structure, notes): in integers where all of the graph can be."""
    def read_as(integers):
        graph = Graph(model, options, integers)
        return graph, recognise_structure(graph.output, graph.height, graph.width)
    try:
        return *read_as(not options.dequantise), []
    except NotInIntegers as failure:
        return *read_as(False), [f"quantised, here as floats: {failure}"]


_ELEMENTS = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(double)": "float64"}


def reference(data, imported, options):
    try:
        import onnxruntime
    except ImportError:
        return "ONNX Runtime is not installed"
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 4
    if imported.rescaling:
        settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    # By its path: its weights may be in a file beside it.
    session = onnxruntime.InferenceSession(options.source, settings,
                                           providers=["CPUExecutionProvider"])
    image = session.get_inputs()[0]
    output = session.get_outputs()[imported.output].name
    channels = imported.input_channels
    planar = image.shape[1] == channels or image.shape[3] != channels
    element = _ELEMENTS.get(image.type) or image.type[len("tensor("):-1]

    def run(images):
        if planar:
            images = images.transpose(0, 3, 1, 2)
        return session.run([output], {image.name: images.astype(element)})[0]
    batch = image.shape[0] if isinstance(image.shape[0], int) else 1
    return check.Reference(f"ONNX Runtime {onnxruntime.__version__}",
                           check.one_by_one(run, batch, imported))
