"""Where trained networks come from: one module per kind of file.

Each module has
    NAME            what it reads, for messages
    recognise(data) whether the bytes are such a file
    read(data)      {name: Tensor}, in the names of a network of networks.py
"""
from . import pytorch, safetensors

SOURCES = (pytorch, safetensors)
