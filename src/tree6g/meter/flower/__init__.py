"""Flower runs: our federated training as a Flower app, and the joules and bits of any as a ledger.

`client` holds what the extra `flower` is needed for; `costs` and `record` know Flower's grid and
messages by the methods that they use, and import nothing of it.
"""
