"""The stage that removes, merges or repeats whole blocks of a model."""
