"""Graph -> Graph, one rewrite per module; pipeline.py lists them in order."""
