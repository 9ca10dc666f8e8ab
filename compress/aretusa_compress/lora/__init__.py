"""The stage that trains low-rank adapters and merges them, or keeps them beside the weights."""
