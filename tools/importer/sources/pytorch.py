"""Checkpoints of torch.save and TorchScript archives."""
from .. import checkpoint, statedict, torch_file
from ..archive import Archive

NAME = "PyTorch checkpoint"


def recognise(data):
    if data.startswith(torch_file.ZIP):
        return any(name.endswith("/data.pkl") for name in Archive(data).names)
    return torch_file.is_legacy(data)


def read(data, options):
    return statedict.read(checkpoint.read(data, options.key), options)


def reference(data, imported, options):
    return imported.make_reference()
