"""The version of the package, for the header of ledgers and for `tree6g --version`."""

__version__ = "0.1.0"
