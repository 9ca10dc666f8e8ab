"""The stage that gives weights few bits with error feedback: per output channel, or in groups."""
