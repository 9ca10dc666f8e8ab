"""The tokenizer as tables: read, encode, decode, and pack for the device."""
