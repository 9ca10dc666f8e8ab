"""aretusa: LLaMA-family models, compiled to bare-metal C for the Siracusa SoC."""
