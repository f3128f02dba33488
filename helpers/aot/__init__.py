"""Engines built ahead of time: a model as an ONNX graph, compiled, saved and loaded by ONNX Runtime."""
