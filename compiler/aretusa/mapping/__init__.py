"""Which engine runs a linear layer, and in which layout its weights are stored for it."""
