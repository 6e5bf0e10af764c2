"""The scheduler of cells as an environment to learn in: one, many at once, an agent per cell."""
