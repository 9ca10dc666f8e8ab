"""Build the firmware of a build directory and run it, on the host or in QEMU."""
