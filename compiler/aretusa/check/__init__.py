"""The checker of plans: it refuses any that a program could not run with."""
