"""OpenVINO's CPU plugin.  Its default on processors with bfloat16 is bfloat16: here it is told to
compute in float32."""

import time

import numpy
import openvino

NAME = "OpenVINO"
PACKAGE = "openvino"
MODEL = "openvino.xml"
FLOAT32 = {"INFERENCE_PRECISION_HINT": "f32"}


def write(network, folder):
    """Its own format, which loads faster than ONNX."""
    import onnx_model
    onnx = folder / "openvino.onnx"
    onnx_model.write(network, onnx)
    # Not openvino.convert_model, which reports its use over the network.
    model = openvino.Core().read_model(onnx)
    openvino.save_model(model, folder / MODEL, compress_to_fp16=False)
    onnx.unlink()


def _compile(folder, options):
    return openvino.Core().compile_model(folder / MODEL, "CPU", FLOAT32 | options)


def _tensor(image):
    return openvino.Tensor(numpy.ascontiguousarray(image.transpose(2, 0, 1)[None]))


class Session:
    def __init__(self, folder, image, threads):
        model = _compile(folder, {"PERFORMANCE_HINT": "LATENCY",
                                  "INFERENCE_NUM_THREADS": str(threads)})
        self.request = model.create_infer_request()
        self.image = _tensor(image)
        self.request.set_input_tensor(self.image)

    def run(self):
        self.request.infer()

    def output(self):
        return self.request.get_output_tensor().data.reshape(-1).copy()


class Streams:
    """OpenVINO's own streams: as many, and as many requests in flight, as it finds best."""

    def __init__(self, folder, image, count):
        self.model = _compile(folder, {"PERFORMANCE_HINT": "THROUGHPUT",
                                       "INFERENCE_NUM_THREADS": str(count)})
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


def open_streams(folder, image, count):
    return Streams(folder, image, count)
