"""Powers of links that disturb one another: not concave, so solved globally or honestly locally."""
