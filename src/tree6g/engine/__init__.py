"""The simulator: it alone owns state and the clock; its phases call the physics."""
