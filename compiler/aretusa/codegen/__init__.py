"""Decisions -> files: C from templates, weight images, the build directory."""
