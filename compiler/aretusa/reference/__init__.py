"""Answers to compare with: NumPy integers, ONNX Runtime, and the original checkpoint in float."""
