"""Texts for calibration, training and evaluation, as windows of tokens."""
