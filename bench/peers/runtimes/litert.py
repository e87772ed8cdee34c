"""LiteRT (TensorFlow Lite): XNNPACK, which its interpreter applies by itself.  XNNPACK has no
convolution in bfloat16, so it is float32 when that is asked for."""

import numpy
from ai_edge_litert.interpreter import Interpreter

import streams

NAME = "LiteRT"
PACKAGE = "ai-edge-litert"
MODEL = "litert.tflite"


def write(network, folder, integers=None):
    import tflite_int8_model
    import tflite_model
    if integers:
        tflite_int8_model.write(network, folder / MODEL, integers)
    else:
        tflite_model.write(network, folder / MODEL)


class Session:
    def __init__(self, folder, image, threads, dtype):
        self.dtype = "int8" if dtype == "int8" else "f32"
        self.interpreter = Interpreter(str(folder / MODEL), num_threads=threads)
        self.interpreter.allocate_tensors()
        (given,) = self.interpreter.get_input_details()
        self.interpreter.set_tensor(given["index"], image[None])
        (self.result,) = self.interpreter.get_output_details()

    def run(self):
        self.interpreter.invoke()

    def output(self):
        return numpy.array(self.interpreter.get_tensor(self.result["index"])[0])


def open_streams(folder, image, count, dtype):
    return streams.Threads([Session(folder, image, 1, dtype) for _ in range(count)])
