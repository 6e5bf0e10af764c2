"""What a model is and what it costs in exact integers: parameters, FLOP, values kept per token."""
