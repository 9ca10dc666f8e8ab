"""The graph: typed values, one frozen dataclass per op, a verifier and a text form."""
