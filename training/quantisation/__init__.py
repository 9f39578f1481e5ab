"""The int8 program of a model directory, made from Paddle's program for ONNX Runtime.

int8: converts, quantises, checks. smoothing: evens out activations before. sharing: keeps what
stays float32 in Paddle's weights file.
"""
