"""Parameters learn from texts, in updates that a killed run goes on with: lora, calr, tune."""
