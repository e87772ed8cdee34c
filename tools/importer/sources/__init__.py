"""Where trained networks come from: one module per kind of file.

Each module has
    NAME                                what it reads, for messages
    recognise(data)                     whether the bytes are such a file
    read(data, options)                 an Imported (imported.py)
    reference(data, imported, options)  a check.Reference, or why there is none (a text)
"""
from . import keras, model_file, onnx, pytorch, safetensors, tflite

SOURCES = (keras, pytorch, tflite, model_file, safetensors, onnx)
