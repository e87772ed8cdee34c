"""Keras's files: .keras, .h5 with the model or its weights alone, .weights.h5."""
import json
import os
import tempfile

from .. import check, hdf5, keras_store, keras_weights
from ..archive import Archive
from ..errors import ImportFailure
from ..imported import from_graph, from_structure
from ..keras_graph import Network
from ..structure import recognise as recognise_structure

NAME = "Keras model"


def recognise(data):
    if data.startswith(keras_store.HDF5):
        return True
    if not data.startswith(b"PK\x03\x04"):
        return False
    try:
        return "config.json" in Archive(data).names
    except ImportFailure:
        return False


def read(data, options):
    if data.startswith(keras_store.HDF5):
        file = keras_store.open_hdf5(data)
        config = keras_store.attribute(file, "model_config")
        version = keras_store.attribute(file, "keras_version")
        if not config:
            return _weights_alone(file, options)
        group = keras_store.member(file, "model_weights")
        if not isinstance(group, hdf5.Group):
            raise ImportFailure("has a model but no weights")
        return _model(_json(config[0]), keras_store.ByLayer(group), (version or ["2"])[0],
                      options)
    archive = Archive(data)
    config = _json(archive.text("config.json"))
    version = "3"
    if "metadata.json" in archive.names:
        metadata = _json(archive.text("metadata.json"))
        version = str(metadata.get("keras_version", "3"))
    file = keras_store.open_hdf5(archive.read("model.weights.h5"))
    return _model(config, keras_store.ByClass(file), version, options)


def _json(text):
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ImportFailure(f"its configuration is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise ImportFailure("its configuration is not a JSON object")
    return value


def _model(config, store, version, options):
    try:
        network = Network(config, store, version, options.source_output)
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        # A configuration may have anything where a number or a list belongs.
        raise ImportFailure(f"malformed configuration: {type(error).__name__}: {error}") from None
    height, width = options.resolution or (224, 224)
    height, width = network.height or height, network.width or width
    structure = recognise_structure(network.output, height, width)
    # Keras's v1 pads depthwise convolutions that stride by (0, 1) at every size.
    if structure.padding == "same" and structure.table.family()[0] == "mobilenet_v1" \
            and structure.trailing:
        structure.padding = "trailing"
    fixed = network.height is not None and network.width is not None
    imported = from_graph(structure, "Keras", height, width, network.type, fixed)
    imported.output = network.chosen
    return imported


def _weights_alone(file, options):
    layers = []
    if keras_store.attribute(file, "layer_names"):
        store = keras_store.ByLayer(file)
        for layer in store.order:
            names = [parameter for name, parameter in store.layers if name == layer]
            arrays = store.get((), layer, None, 0, names)
            order = ("kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance")
            arrays = {p: arrays[p] for p in order if p in arrays}
            kind, _ = keras_weights.identify(layer, [a.shape for a in arrays.values()])
            layers.append((layer, kind, arrays))
    else:
        for _, name, arrays in keras_store.ByClass(file).ordered():
            kind, parameters = keras_weights.identify(name, [a.shape for a in arrays])
            layers.append((name, kind, dict(zip(parameters, arrays))))
    if not layers:
        raise ImportFailure("an HDF5 file, but with nothing that Keras has written")
    output, padding, notes = keras_weights.network(layers, options)
    height, width = options.resolution or (224, 224)
    structure = recognise_structure(output, height, width)
    structure.padding = padding
    imported = from_structure(structure, "Keras (weights alone)", height, width)
    imported.notes += notes
    return imported


def reference(data, imported, options):
    """Keras itself, where the file holds a model and not only its weights; or why not."""
    try:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        import keras
    except ImportError:
        return "Keras is not installed"

    def relu6(x):
        return keras.ops.clip(x, 0.0, 6.0)

    def hard_swish(x):
        return x * keras.ops.clip(x + 3.0, 0.0, 6.0) / 6.0
    suffix = ".h5" if data.startswith(keras_store.HDF5) else ".keras"
    with tempfile.TemporaryDirectory(prefix="mobilenet-import-") as folder:
        path = os.path.join(folder, "model" + suffix)
        with open(path, "wb") as file:
            file.write(data)
        try:
            model = keras.saving.load_model(
                path, custom_objects={"relu6": relu6, "hard_swish": hard_swish}, compile=False)
        except Exception as error:  # weights alone, or a model of another version of Keras
            return f"Keras cannot load it: {str(error).strip().splitlines()[0]:.100}"

    shape = model.input_shape
    channels = imported.input_channels
    planar = shape[1] == channels != shape[3]

    def run(images):
        if planar:
            images = images.transpose(0, 3, 1, 2)
        result = model.predict(images.astype(model.inputs[0].dtype), verbose=0)
        return result[imported.output] if isinstance(result, (list, tuple, dict)) else result
    return check.Reference(f"Keras {keras.__version__}",
                           check.one_by_one(run, shape[0] or 1, imported))
