"""What no schedule can exceed: a clairvoyant bound on TREE, which proves itself.

The schedulers themselves are policies of the engine (`engine.policies.schedule`).
"""
