"""Stages one after the other, each kept with a fingerprint of all that it depends on."""
