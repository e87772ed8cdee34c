"""MobileNet v1, v2 and v3 on CPUs.

>>> import mobilenet
>>> model = mobilenet.load("mobilenet_v2.safetensors")
>>> model.classify("cat.jpg", top=1)
[Prediction(class_index=285, label='Egyptian cat', probability=0.717...)]

:func:`load` makes a :class:`Model`: ``classify``, ``run_images``, ``embed`` for images, ``run`` and
``features`` for float arrays, ``profile``.  :func:`network` counts without weights, :func:`init` makes
model files with random ones; :func:`quantize` makes integers of floats.  The library's failures are :class:`Error`, with its status and message;
so are values out of range.  Wrong types are TypeError.
"""

from ._error import Error, Status
from ._model import Cpus, Model, Prediction, Step, cpus, isas, load
from ._native import library as _library
from ._network import Layer, Network, Stage, init, network, networks
from ._preprocessing import FitName, InterpolationName, Preprocessing, ResamplingName
from ._quantize import (
    LayerLoss,
    Loss,
    Quantized,
    RangeMethodName,
    Trial,
    TriedMethodName,
    quantize,
)

__version__: str = _library.mbn_version().decode()

__all__ = [
    "Cpus",
    "Error",
    "Layer",
    "LayerLoss",
    "Loss",
    "Model",
    "Network",
    "Prediction",
    "Preprocessing",
    "Quantized",
    "Stage",
    "Status",
    "Step",
    "Trial",
    "cpus",
    "init",
    "isas",
    "load",
    "network",
    "networks",
    "quantize",
]

# What is public reads `mobilenet.Error`, also where it is pickled; so its annotations are looked up
# here.
for _name in __all__:
    globals()[_name].__module__ = __name__
