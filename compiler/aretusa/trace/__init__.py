"""What the compiled program does to its memories, event by event: the runtime's twin."""
