"""safetensors files with PyTorch's tensor names: torchvision's or timm's."""
from .. import check, safetensors, statedict
from .pytorch import strip_prefix

NAME = "safetensors file"


def recognise(data):
    return data[8:9] == b"{"


def read(data, options):
    return statedict.read(tensors(data), options)


def reference(data, imported, options):
    return check.torch_reference(statedict.with_prefix(tensors(data)), imported, options)


def tensors(data):
    return strip_prefix(safetensors.read(data)[0])
