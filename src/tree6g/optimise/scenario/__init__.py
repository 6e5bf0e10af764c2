"""From a scenario to an allocation, back to a scenario, and to what a simulation says of it."""
