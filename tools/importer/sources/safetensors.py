"""safetensors files with PyTorch's tensor names."""
from .. import safetensors
from .pytorch import strip_prefix

NAME = "safetensors file"


def recognise(data):
    return data[8:9] == b"{"


def read(data):
    tensors, _ = safetensors.read(data)
    return strip_prefix(tensors)
