"""The int8 program of a model directory, made from Paddle's program for ONNX Runtime.

`int8` converts, quantises and checks; `smoothing` evens out the activations before that; `rounding`
makes both programs read the same codes; `sharing` lets the int8 program read its float32 weights
from Paddle's file.
"""
