"""Facts of the chip, no behaviour: numbers stand in siracusa.toml with unit and source."""
