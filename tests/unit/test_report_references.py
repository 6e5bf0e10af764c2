"""References as BibTeX."""

from __future__ import annotations

from tree6g.report.references import METRIC_PAPER, Reference, bibtex


def test_publication_has_its_year_and_arxiv_number() -> None:
    entry = bibtex(METRIC_PAPER)
    assert "  year = {2025},\n" in entry
    assert "  eprint = {2509.02250},\n" in entry


def test_numbers_in_the_text_of_a_source_are_no_year() -> None:
    assert "year" not in bibtex(Reference(what="models/x", text="prices of 2026, 2048 tokens"))
