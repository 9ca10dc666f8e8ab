"""The order of kernels and barriers: layers rolled into loops, epochs between barriers."""
