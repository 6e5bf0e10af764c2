"""The whole life of a service: embodied carbon, amortised training, grid carbon, water."""
