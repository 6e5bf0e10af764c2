"""Servers of a scenario over load: what they draw, how fast they answer, how they may be set up."""
