"""Comparisons with data: every fit and every validation, each returning one record of results."""
