"""OpenVINO's CPU plugin.  Its default on processors with bfloat16 is bfloat16, for what has no integers: that
is what it runs then, and for float32 it is told to compute in that."""

import time

import numpy
import openvino

NAME = "OpenVINO"
PACKAGE = "openvino"
MODEL = "openvino.xml"
INTEGERS = {"u8", "i8"}
PRECISION = {"f32": {"INFERENCE_PRECISION_HINT": "f32"}, "bf16": {}, "int8": {}}


def write(network, folder, integers=None):
    """Its own format, which loads faster than ONNX."""
    save(read(network, folder, integers), folder / MODEL)


def read(network, folder, integers=None):
    import onnx_int8_model
    import onnx_model
    onnx = folder / "openvino.onnx"
    if integers:
        onnx_int8_model.write(network, onnx, integers)
    else:
        onnx_model.write(network, onnx)
    # Not openvino.convert_model, which reports its use over the network.
    model = openvino.Core().read_model(onnx)
    onnx.unlink()
    return model


def save(model, path):
    openvino.save_model(model, path, compress_to_fp16=False)


def _compile(path, dtype, options):
    return openvino.Core().compile_model(path, "CPU", PRECISION[dtype] | options)


def _dtype(model, asked):
    """What it has chosen."""
    if asked == "int8" and INTEGERS & set(_precisions_of_convolutions(model)):
        return "int8"
    return model.get_property("INFERENCE_PRECISION_HINT").get_type_name()


def _precisions_of_convolutions(model):
    for operation in model.get_runtime_model().get_ops():
        facts = operation.get_rt_info()
        if facts["layerType"].value == "Convolution":
            yield facts["runtimePrecision"].value


def _tensor(image):
    return openvino.Tensor(numpy.ascontiguousarray(image.transpose(2, 0, 1)[None]))


class Session:
    def __init__(self, folder, image, threads, dtype, name=MODEL):
        model = _compile(folder / name, dtype, {"PERFORMANCE_HINT": "LATENCY",
                                                "INFERENCE_NUM_THREADS": str(threads)})
        self.dtype = _dtype(model, dtype)
        self.request = model.create_infer_request()
        self.image = _tensor(image)
        self.request.set_input_tensor(self.image)

    def run(self):
        self.request.infer()

    def output(self):
        return self.request.get_output_tensor().data.reshape(-1).copy()


class Streams:
    """OpenVINO's own streams: as many, and as many requests in flight, as it finds best."""

    def __init__(self, folder, image, count, dtype, name=MODEL):
        self.model = _compile(folder / name, dtype, {"PERFORMANCE_HINT": "THROUGHPUT",
                                                     "INFERENCE_NUM_THREADS": str(count)})
        self.dtype = _dtype(self.model, dtype)
        self.queue = openvino.AsyncInferQueue(self.model)
        self.image = _tensor(image)
        for request in self.queue:
            request.set_input_tensor(self.image)
        self.run(0)

    def run(self, seconds):
        images = 0
        end = time.monotonic() + seconds
        while images == 0 or time.monotonic() < end:
            self.queue.start_async()  # waits for a request that is free
            images += 1
        self.queue.wait_all()
        return images

    def output(self):
        return self.queue[0].get_output_tensor().data.reshape(-1).copy()


def open_streams(folder, image, count, dtype):
    return Streams(folder, image, count, dtype)
