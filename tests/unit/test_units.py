"""Quantities as people write them, and back."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tree6g import units

SUFFIXES = [*units.SYMBOLS, *units.QUOTIENT, "j_per_bit", "beq_per_j", "eur_per_j", "byte_per_tok"]
finite = st.floats(1e-18, 1e18) | st.floats(-1e18, -1e-18) | st.just(0.0)


@pytest.mark.parametrize(
    ("text", "suffix", "value"),
    [
        ("3.5 GHz", "hz", 3.5e9),
        ("100MHz", "hz", 1e8),
        ("0.4 kWh", "j", 1.44e6),
        ("15 nJ/bit", "j_per_bit", 1.5e-8),
        ("0.25 EUR/kWh", "eur_per_j", 0.25 / 3.6e6),
        ("1 EUR/GB", "eur_per_bit", 1.25e-10),
        ("10 Gbps", "bps", 1e10),
        ("10 GBps", "bps", 8e10),
        ("10 Gbit/s", "bps", 1e10),
        ("4 B/tok", "byte_per_tok", 4.0),
        ("20 %", "frac", 0.2),
        ("0.2", "frac", 0.2),
        ("1 min", "s", 60.0),
        ("2 d", "s", 172_800.0),
        ("1 KiB", "byte", 1024.0),
        ("1 KiB", "bit", 8192.0),
        ("100 kB", "byte", 1e5),
        ("1_000 W", "w", 1000.0),
        ("-3 dB", "db", -3.0),
        ("1e3 tok", "tok", 1000.0),
        (".5 J", "j", 0.5),
        ("5. J", "j", 5.0),
        ("3 tCO2e", "kgco2e", 3000.0),
        ("45 °", "deg", 45.0),
        ("1500 bit/tok", "bit_per_tok", 1500.0),
        ("100\N{NO-BREAK SPACE}MHz", "hz", 1e8),
    ],
)
def test_written_quantities_are_read_in_si(text, suffix, value):
    assert units.parse(text, suffix) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize("micro", ["u", "\N{MICRO SIGN}", "\N{GREEK SMALL LETTER MU}"])
def test_all_ways_to_write_micro_are_one(micro):
    assert units.parse(f"5 {micro}s", "s") == 5e-6
    assert units.parse(f"5 {micro}J/bit", "j_per_bit") == 5e-6


@pytest.mark.parametrize(
    ("text", "suffix"),
    [
        ("5", "w"),
        ("5 J", "w"),
        ("5 kWh", "w"),
        ("5 W", "j"),
        ("5 m", "s"),
        ("5 dBm", "db"),
        ("5 MW/bit", "j_per_bit"),
        ("5 J", "j_per_bit"),
        ("5 Mbps", "hz"),
        ("5 Mbps", "tps"),
        ("5 kmin", "s"),
        ("5 kdB", "db"),
        ("5 kEUR", "eur"),
        ("5 ms/s", "s"),
        ("inf W", "w"),
        ("nan W", "w"),
        ("-inf", "frac"),
        ("1e400 W", "w"),
        ("1e308 PW", "w"),
        ("", "w"),
        ("W", "w"),
        ("1 2 W", "w"),
        ("1,5 W", "w"),
        ("0x10 W", "w"),
        ("_5 W", "w"),
        ("5 W\n6 W", "w"),
        ("5 KiW", "w"),
        ("5 W/", "w"),
        ("/s", "bps"),
        ("1" * 100_000 + "\nW", "w"),
    ],
)
def test_other_dimensions_bare_numbers_and_what_is_not_finite_are_refused(text, suffix):
    with pytest.raises(ValueError, match="expected a"):
        units.parse(text, suffix)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_example_of_an_error_text_is_itself_accepted(suffix):
    assert units.parse(units.example(suffix).split("'")[1], suffix) > 0


@pytest.mark.parametrize("suffix", SUFFIXES)
@given(value=finite)
def test_what_is_shown_reads_back_as_the_same_quantity(suffix, value):
    assert units.parse(units.show(value, suffix, digits=17), suffix) == pytest.approx(
        value, rel=1e-12
    )
    assert units.parse(units.show(value, suffix), suffix) == pytest.approx(value, rel=5.1e-3)


@given(text=st.text(max_size=40) | st.from_regex(r"[0-9.eE+_-]{1,8} ?[fpnumkMGTP]?[a-zA-Z/]{0,5}"))
def test_any_text_gives_a_finite_number_or_a_value_error(text):
    for suffix in ("hz", "j_per_bit", "bps", "frac"):
        try:
            value = units.parse(text, suffix)
        except ValueError:
            continue
        assert math.isfinite(value)


@pytest.mark.parametrize(
    ("value", "suffix", "text"),
    [
        (3.5e9, "hz", "3.5 GHz"),
        (999.9996e6, "hz", "1 GHz"),
        (2e-8, "j_per_bit", "20 nJ/bit"),
        (3600.0, "s", "1 h"),
        (90.0, "s", "90 s"),
        (0.75, "frac", "0.75"),
        (0.0, "w", "0 W"),
        (-1500.0, "w", "-1.5 kW"),
        (8.0, "dbi", "8 dBi"),
        (1e7, "bps", "10 Mbit/s"),
        (math.inf, "w", "inf W"),
    ],
)
def test_quantities_are_shown_as_people_write_them(value, suffix, text):
    assert units.show(value, suffix) == text


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("bandwidth_hz", "hz"),
        ("energy_j_per_bit", "j_per_bit"),
        ("rate_bps", "bps"),
        ("alpha_bit_per_tok", "bit_per_tok"),
        ("tokens_per_chunk", None),
        ("ai_requests_per_user_hour", None),
        ("max_batch", None),
        ("s", None),
        ("j_per_tok", None),
        ("", None),
    ],
)
def test_the_suffix_of_a_name_is_its_unit(name, suffix):
    assert units.suffix_of(name) == suffix


def test_what_is_counted_has_no_parts_of_a_thousand():
    assert units.show(0.0989, "tok_per_j") == "0.0989 tok/J"
    assert units.show(98_900.0, "tok_per_j") == "98.9 ktok/J"
    assert units.show(3.06e-4, "j_per_bit") == "306 uJ/bit"
