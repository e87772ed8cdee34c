"""ncnn.  In float32 its half and bfloat16 storage are off, and with integers too; in bfloat16 that is
on."""

import ncnn
import numpy

import streams

NAME = "ncnn"
PACKAGE = "ncnn"
PARAM, BIN = "ncnn.param", "ncnn.bin"


def write(network, folder, integers=None):
    import ncnn_int8_model
    import ncnn_model
    if integers:
        ncnn_int8_model.write(network, folder / PARAM, folder / BIN, integers)
    else:
        ncnn_model.write(network, folder / PARAM, folder / BIN)


class Session:
    def __init__(self, folder, image, threads, dtype):
        self.dtype = dtype
        self.net = ncnn.Net()
        options = self.net.opt
        options.num_threads = threads
        options.use_fp16_packed = False
        options.use_fp16_storage = False
        options.use_fp16_arithmetic = False
        options.use_bf16_storage = options.use_bf16_packed = dtype == "bf16"
        if self.net.load_param(str(folder / PARAM)) or self.net.load_model(str(folder / BIN)):
            raise RuntimeError(f"ncnn does not load {folder / PARAM}")
        # The Mat points into the array until it is cloned.
        array = numpy.ascontiguousarray(image.transpose(2, 0, 1))
        self.image = ncnn.Mat(array).clone()
        self.logits = None

    def run(self):
        extractor = self.net.create_extractor()
        extractor.input("image", self.image)
        status, self.logits = extractor.extract("logits")
        if status:
            raise RuntimeError(f"ncnn: extract: {status}")

    def output(self):
        return numpy.array(self.logits).reshape(-1).copy()


def open_streams(folder, image, count, dtype):
    # Its Python binding holds the interpreter's lock while it runs, so threads would not overlap.
    return streams.Processes("ncnn", folder, image, count, dtype)
