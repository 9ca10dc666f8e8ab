"""The stage that finds the matrices a compressed model cannot do without, and keeps those dense."""
