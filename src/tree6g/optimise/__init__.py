"""What decides: allocation of a cell, powers under interference, each with what proves it."""
