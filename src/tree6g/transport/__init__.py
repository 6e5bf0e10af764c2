"""Physics of the links to data centres."""
