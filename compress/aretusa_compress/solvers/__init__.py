"""One matrix and the statistics of its inputs in, codes or factors out: no model, no files."""
