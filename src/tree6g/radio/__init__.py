"""Physics of the radio access: propagation, rates, airtime and base-station power."""
