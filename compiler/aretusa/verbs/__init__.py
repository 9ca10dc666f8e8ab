"""The verbs of the command line as functions; each returns the object that `--json` prints."""
