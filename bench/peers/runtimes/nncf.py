"""OpenVINO's CPU plugin on what its own tool makes of the float32 network: NNCF chooses which operators are of
integers, and their scales."""

import functools
import importlib.metadata
import os

from runtimes import openvino

NAME = "OpenVINO (NNCF)"
PACKAGE = "nncf"
MODEL = "nncf.xml"

# An ImportError where it is not installed; workers do not import it.
importlib.metadata.version(PACKAGE)


def write(network, folder, integers=None):
    if integers is None:
        raise NotImplementedError("it is of integers")
    os.environ["NNCF_CI"] = "1"  # or it reports its use over the network
    import nncf
    model = nncf.quantize(openvino.read(network, folder), nncf.Dataset(integers.inputs),
                          subset_size=len(integers.inputs), target_device=nncf.TargetDevice.CPU)
    openvino.save(model, folder / MODEL)


Session = functools.partial(openvino.Session, name=MODEL)
open_streams = functools.partial(openvino.Streams, name=MODEL)
