"""The runtimes that the library is compared with, a module each:

    NAME                                what tables call it
    PACKAGE                             what pip calls it
    write(network, folder, integers=None)      writes its model, of integers if there are some; runs in
                                        compare's process
    Session(folder, image, threads, dtype)     a loaded model; image is [height, width, 3]
        .run()                          one inference, on input already in the runtime's own tensor
        .output()                       the logits of the last run
        .dtype                          what it computes in
    open_streams(folder, image, count, dtype)  for throughput: .run(seconds) -> images, .output(), .dtype

A dtype is "f32", "bf16" or "int8": what is asked for; where a runtime does not have it on this CPU, its
session says what it has.  A worker process imports one of them and nothing of the others.
"""

import importlib

NAMES = ("openvino", "litert", "onnxruntime", "ncnn")
# That read one quantised network, all with the same integers and scales.
SAME_INTEGERS = ("openvino", "litert", "onnxruntime")


def names(dtype):
    """All that have something to show."""
    return ("openvino", "nncf", *NAMES[1:]) if dtype == "int8" else NAMES


def load(name):
    return importlib.import_module("runtimes." + name)
