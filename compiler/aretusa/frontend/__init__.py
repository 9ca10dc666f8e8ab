"""Files of a checkpoint -> configuration, weights and tokenizer; trusts none of them."""
