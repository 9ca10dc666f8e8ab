"""CALR: truncated layers with a trained corrective branch, and LoSparse to compare it with."""
