"""Federated learning: models in NumPy that really learn, and what their clients draw and send."""
