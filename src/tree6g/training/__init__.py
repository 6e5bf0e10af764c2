"""Training: FLOP, bytes, memory and energy of teaching a model, and learning over a network."""
