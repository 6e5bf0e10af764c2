"""Bandwidth, power, accelerators and admission of one cell: the greatest TREE or EE, certified."""
