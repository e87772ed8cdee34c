"""ONNX Runtime's CPU provider.  It has no arithmetic in bfloat16 but for matrix products on Arm, so it is
float32 when that is asked for."""

import copy

import numpy
import onnxruntime

import streams

NAME = "ONNX Runtime"
PACKAGE = "onnxruntime"
MODEL = "onnxruntime.onnx"


def write(network, folder, integers=None):
    import onnx_int8_model
    import onnx_model
    if integers:
        onnx_int8_model.write(network, folder / MODEL, integers)
    else:
        onnx_model.write(network, folder / MODEL)


class Session:
    def __init__(self, folder, image, threads, dtype):
        self.dtype = "int8" if dtype == "int8" else "f32"
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(folder / MODEL, options,
                                                    providers=["CPUExecutionProvider"])
        self.image = numpy.ascontiguousarray(image.transpose(2, 0, 1)[None])
        self._bind()

    def _bind(self):
        (output,) = self.session.get_outputs()
        self.logits = onnxruntime.OrtValue.ortvalue_from_numpy(
            numpy.empty(output.shape, numpy.float32))
        self.binding = self.session.io_binding()
        self.binding.bind_ortvalue_input(self.session.get_inputs()[0].name,
                                         onnxruntime.OrtValue.ortvalue_from_numpy(self.image))
        self.binding.bind_ortvalue_output(output.name, self.logits)

    def run(self):
        self.session.run_with_iobinding(self.binding)

    def output(self):
        return self.logits.numpy()[0]

    def sibling(self):
        """The same session, which threads may share, with its own input and output."""
        other = copy.copy(self)
        other._bind()
        return other


def open_streams(folder, image, count, dtype):
    first = Session(folder, image, 1, dtype)
    return streams.Threads([first] + [first.sibling() for _ in range(count - 1)])
