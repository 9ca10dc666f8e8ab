"""N-EUREKA, the chip's convolution engine: weight layouts, jobs, and models of what it does."""
