"""Sentences, numbers and markup of the report."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting import HOSTILE, figure, sensors, service
from tree6g.report import numerals, words
from tree6g.report.markup import Markup, escape, join, linked, tag, visible
from tree6g.report.tables import Missing
from tree6g.report.weight import MULTIPLE, token_weight


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


def test_the_headline_says_bits_energy_and_value_of_the_ai_service() -> None:
    assert plain(words.headline(figure())) == (
        "The AI service \u201cassistant\u201d moves 0.8 % of the bits, causes 61 % of the energy "
        "that services answer for and brings 74 % of the value."
    )


def test_the_headline_adds_up_several_ai_services() -> None:
    both = figure(service("chat", bit_share_frac=0.004), service("video"), sensors())
    assert plain(words.headline(both)).startswith(
        "The AI services \u201cchat\u201d and \u201cvideo\u201d together move 1.2 % of the bits, "
        "cause 122 %"
    )


def test_the_headline_leaves_out_a_share_that_is_not_defined() -> None:
    said = plain(words.headline(figure(service(bit_share_frac=None), sensors())))
    assert "bits" not in said
    assert "causes 61 % of the energy" in said


def test_the_headline_without_ai_says_that_tree_is_ee() -> None:
    assert "TREE is EE" in words.headline(figure(sensors()))


def test_the_headline_of_an_undefined_figure_gives_the_reason() -> None:
    undefined = figure(tree_beq_per_j=None, reasons={"tree_beq_per_j": "no coverage"})
    assert words.headline(undefined).endswith("is not defined: no coverage.")


def test_the_second_sentence_compares_tree_with_ee() -> None:
    said = words.second_sentence(figure(tree_beq_per_j=41_667.0))
    assert "a joule brings 3 times what bits per joule says" in said
    assert "hardly sees" in said
    assert words.second_sentence(figure(ee_bit_per_j=0.0)) == ""
    assert "brings about what" in words.second_sentence(figure(ee_bit_per_j=9100.0))
    assert "only 65 % of what" in plain(words.second_sentence(figure()))


def test_marginal_tree_decides_whether_tree_would_rise() -> None:
    weak = service(tree_marginal_beq_per_j=5000.0)
    assert "TREE would rise without it" in words.marginal_sentence(weak, figure())
    assert "TREE would fall without it" in words.marginal_sentence(service(), figure())
    unknown = service(tree_marginal_beq_per_j=None, reasons={"tree_marginal_beq_per_j": "none"})
    assert words.marginal_sentence(unknown, figure()).endswith("is not known (none).")


def test_the_weight_sentences_name_stated_value_and_both_break_evens() -> None:
    # U_D = 2.1e6, X_A = 600: shares meet at 0.61 * 2.1e6 / (0.39 * 600), TREE = EE at 1.04e7/600
    assert [plain(s) for s in words.weight_sentences(token_weight(figure()))] == [
        "In this report a token is worth 10,000 bit.",
        (
            "If a token is worth 5,470 bit or more, the AI services bring at least the share of "
            "the value that they take of the energy."
        ),
        "TREE is above EE if a token is worth 17,300 bit or more.",
    ]


def test_ai_services_of_different_alpha_are_scaled_together() -> None:
    curve = token_weight(figure(service(), service("video", alpha_bit_per_tok=5.0), sensors()))
    assert not isinstance(curve, Missing)
    assert curve.unit == MULTIPLE
    assert curve.stated == 1.0
    assert "different stated worths" in words.weight_sentences(curve)[0]


def test_without_ai_there_is_no_curve_over_the_token_weight() -> None:
    curve = token_weight(figure(sensors()))
    assert curve == Missing(reason="there is no AI service")
    assert words.weight_sentences(curve) == [
        "There is no curve over the token weight: there is no AI service."
    ]


def test_the_marks_of_a_figure_are_explained() -> None:
    said = words.marks_sentences(figure(marks=("bound", "estimated")))
    assert [s.partition(":")[0] for s in said] == ["Bound", "Estimated"]


def test_where_tree_is_always_above_ee_there_is_no_second_break_even() -> None:
    curve = token_weight(figure(bits_bit=2.1e6))
    assert words.weight_sentences(curve)[2] == "TREE is above EE at every weight."
    alone = token_weight(figure(service(energy_share_frac=1.0)))
    assert "do not share the energy" in words.weight_sentences(alone)[1]


def test_ai_that_delivers_nothing_on_time_has_no_curve() -> None:
    idle = figure(service(worth_tok=0.0, utility_beq=0.0), sensors())
    assert token_weight(idle) == Missing(reason="the AI services delivered nothing on time")


def test_an_interval_is_printed_only_where_it_is_known() -> None:
    assert "No interval is given: for 100 % of the joules" in plain(
        words.uncertainty_sentence(figure())
    )
    known = figure(u95_frac=0.1, u95_unknown_frac=0.0)
    assert "\u00b1 10 % (95 % interval, \u00b1 900 bit-eq/J)" in plain(
        words.uncertainty_sentence(known)
    )


def test_coverage_is_told_in_time_and_percent() -> None:
    assert "9 min of 10 min (90 %)" in plain(words.coverage_sentence(figure()))
    none = figure(coverage_frac=None, reasons={"coverage_frac": "no coverage rows"})
    assert words.coverage_sentence(none) == "Coverage is unknown: no coverage rows."


@pytest.mark.parametrize(
    ("value", "suffix", "expected"),
    [
        (75e3, "beq_per_j", "75 kbit-eq/J"),
        (999.7, "w", "1 kW"),
        (7.2e-5, "j_per_bit", "72 \u00b5J/bit"),
        (3599.0, "j", "3.6 kJ"),
        (7.2e6, "j", "2 kWh"),
        (0.0, "j", "0 J"),
        (19366.0, "", "19,366"),
        (600.0, "s", "10 min"),
        (0.008, "frac", "0.8 %"),
    ],
)
def test_quantities_read_as_people_write_them(value: float, suffix: str, expected: str) -> None:
    assert plain(numerals.quantity(value, suffix)) == expected


@given(st.floats(min_value=1e-300, max_value=1.0, exclude_max=True))
def test_a_part_is_never_rounded_to_nothing_nor_to_the_whole(frac: float) -> None:
    said = plain(numerals.percent(frac))
    assert said not in {"0 %", "0.0 %", "0.00 %", "100 %", "100.0 %"}


@given(st.text())
def test_markup_never_lets_text_through_unescaped(text: str) -> None:
    made = tag("p", text, title=text)
    assert made.count("<") == 2
    assert made.count(">") == 2
    assert made.count('"') == 2
    made.encode()


def test_markup_stays_as_it_is_and_text_does_not() -> None:
    bold = tag("b", "a < b")
    assert join([bold, "<i>"]) == "<b>a &lt; b</b>&lt;i&gt;"
    assert escape(Markup("<br>")) == "<br>"
    assert tag("p", class_=None, aria_label="x") == '<p aria-label="x"></p>'


def test_hidden_characters_become_visible() -> None:
    assert "\u202e" not in visible(HOSTILE)
    assert "\x00" not in visible(HOSTILE)
    assert visible("\ud800") == "\ufffd"
    assert visible("a\u200db") == "a\u200db"


def test_only_web_addresses_become_links() -> None:
    assert linked("see https://example.org/a?b=1&c.") == (
        'see <a href="https://example.org/a?b=1&amp;c" rel="noopener noreferrer nofollow">'
        "https://example.org/a?b=1&amp;c</a>."
    )
    assert "<a" not in linked("javascript:alert(1) <a href=x>").replace("&lt;a", "")
