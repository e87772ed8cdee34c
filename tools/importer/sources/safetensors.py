"""safetensors files with PyTorch's tensor names."""
from .. import safetensors, statedict
from ..checkpoint import Weights
from ..errors import ImportFailure

NAME = "safetensors file"


def recognise(data):
    return data[8:9] == b"{"


def read(data, options):
    if options.key is not None:
        raise ImportFailure("--key: a safetensors file holds one set of weights (--prefix)")
    return statedict.read(Weights(safetensors.read(data)[0]), options)


def reference(data, imported, options):
    return imported.make_reference()
