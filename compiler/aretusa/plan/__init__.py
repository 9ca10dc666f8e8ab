"""The decisions about a program: engine and home of each weight, rings, chunk; and their check."""
