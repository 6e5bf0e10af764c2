"""Which model serves whom, where, and cut at which layer: the greatest TREE or EE, with a bound."""
