"""The stage that sets weights to zero, N of every M or anywhere in a row."""
