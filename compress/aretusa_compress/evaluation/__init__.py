"""How well a model predicts text and answers questions, whatever runs it."""
