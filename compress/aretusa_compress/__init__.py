"""Checkpoint in, smaller checkpoint out: recipes of stages that can be resumed. Needs PyTorch."""
