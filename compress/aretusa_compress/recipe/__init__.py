"""What to do to a model: recipes, their stages' options, published presets."""
