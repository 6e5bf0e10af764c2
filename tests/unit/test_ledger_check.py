"""`check` finds what the writer cannot see or did not write."""

from __future__ import annotations

import dataclasses

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ledger_rows import META, energy, entity, request, work, write
from tree6g.ledger import schema
from tree6g.ledger.check import check
from tree6g.ledger.reading import open_ledger


def control(**energy_j):
    return dataclasses.replace(META, control={"energy_j": energy_j})


def rules(ledger):
    return sorted({p.rule for p in check(ledger).problems})


def forge(path, table, **columns):
    """A part that no writer of ours would write."""
    data = pa.table({name: [value] for name, value in columns.items()})
    wanted = schema.TABLES[table]
    for field in wanted:
        if field.name not in data.column_names:
            data = data.append_column(field.name, pa.nulls(1, field.type))
    kinds = pa.schema([f.with_nullable(True) for f in wanted])
    (path / table).mkdir(exist_ok=True)
    pq.write_table(data.select(wanted.names).cast(kinds), path / table / "part-000900.parquet")
    return open_ledger(path)


def test_a_sound_ledger_has_no_problems(tmp_path):
    ledger = write(tmp_path / "l", control(n=1.0), energy=energy(), work=work(), request=request())
    report = check(ledger)
    assert report.problems == ()
    assert report.notes == ()
    assert report.conservation_error_frac == 0.0
    assert report.rows == ledger.rows()


def test_without_control_totals_conservation_is_unknown(tmp_path):
    report = check(write(tmp_path / "l", energy=energy()))
    assert report.conservation_error_frac is None
    assert report.problems == ()
    assert "conservation is not checked" in report.notes[0]


@pytest.mark.parametrize(("counted", "error"), [(1.1, 0.1 / 1.1), (0.0, 1.0), (0.5, 0.5)])
def test_joules_that_are_not_those_counted_are_a_problem(tmp_path, counted, error):
    report = check(write(tmp_path / "l", control(n=counted), energy=energy()))
    assert report.conservation_error_frac == pytest.approx(error)
    assert [p.rule for p in report.problems] == ["conservation"]


def test_a_counted_node_without_rows_is_a_problem_unless_it_used_nothing(tmp_path):
    assert rules(write(tmp_path / "a", control(n=1.0, m=2.0), energy=energy())) == ["conservation"]
    assert rules(write(tmp_path / "b", control(n=1.0, m=0.0), energy=energy())) == []


def test_the_sum_is_exact_enough_over_many_magnitudes(tmp_path):
    t0 = [float(i) for i in range(30_001)]
    joules = [1e12] + [1e-6] * 30_000
    counted = control(n=1e12 + 0.03)
    ledger = write(
        tmp_path / "l", counted, energy=energy(t0_s=t0, t1_s=[t + 1 for t in t0], energy_j=joules)
    )
    assert check(ledger).conservation_error_frac < 1e-15


def test_control_totals_of_the_wrong_kind_are_a_problem(tmp_path):
    meta = dataclasses.replace(META, control={"energy_j": {"n": "much"}})
    assert rules(write(tmp_path / "l", meta, energy=energy())) == ["schema"]


def test_the_same_row_twice_is_a_duplicate(tmp_path):
    report = check(write(tmp_path / "l", energy=energy(energy_j=[1.0, 2.0]), work=work()))
    assert [(p.table, p.rule, p.rows) for p in report.problems] == [("energy", "duplicate", 2)]
    assert "2 rows of t0_s 0.0, t1_s 1.0, node 'n', component 'gpu'" in report.problems[0].text


def test_rows_that_differ_in_one_part_of_the_key_are_no_duplicates(tmp_path):
    ledger = write(tmp_path / "l", energy=energy(service=[None, "chat"]))
    assert rules(ledger) == []


def test_work_twice_is_a_duplicate_too(tmp_path):
    assert rules(write(tmp_path / "l", work=work(amount=[1.0, 2.0]))) == ["duplicate"]


def test_unknown_nodes_and_services_are_named(tmp_path):
    ledger = write(
        tmp_path / "l", energy=energy(node="m", service="chat"), work=work(service="chatt")
    )
    found = {(p.table, p.rule): p.text for p in check(ledger).problems}
    assert set(found) == {("energy", "unknown"), ("work", "unknown")}
    assert "Did you mean 'chat'?" in found["work", "unknown"]


def test_more_late_than_delivered_work_is_a_problem(tmp_path):
    late = work(kind=["token_out", "token_late"], amount=[5.0, 5.1])
    assert rules(write(tmp_path / "a", work=late)) == ["late"]
    fine = work(kind=["token_out", "token_late"], amount=[5.0, 5.0])
    assert rules(write(tmp_path / "b", work=fine)) == []
    bits = work(kind=["bit_ul", "bit_dl", "bit_late"], amount=[5.0, 5.0, 9.0])
    assert rules(write(tmp_path / "c", work=bits)) == []
    none = work(kind="token_late", amount=1.0)
    assert rules(write(tmp_path / "d", work=none)) == ["late"]


def test_requests_that_are_all_there_must_add_up_to_the_work(tmp_path):
    kinds = ["request", "token_in", "token_in_cached", "token_out"]
    good = work(kind=kinds, amount=[2.0, 4.0, 2.0, 10.0])
    two = request(id=[1, 2])
    assert rules(write(tmp_path / "a", work=good, request=two)) == []
    bad = work(kind=kinds, amount=[2.0, 4.0, 2.0, 11.0])
    assert rules(write(tmp_path / "b", work=bad, request=two)) == ["requests"]
    sampled = work(kind=kinds, amount=[3.0, 9.0, 2.0, 15.0])
    assert rules(write(tmp_path / "c", work=sampled, request=two)) == []


def test_requests_lost_half_way_may_leave_more_work_than_rows(tmp_path):
    kinds = ["request", "request_lost", "token_in", "token_out"]
    more = work(kind=kinds, amount=[1.0, 1.0, 6.0, 7.0])
    assert rules(write(tmp_path / "a", work=more, request=request())) == []
    less = work(kind=kinds, amount=[1.0, 1.0, 3.0, 4.0])
    assert rules(write(tmp_path / "b", work=less, request=request())) == ["requests"]


def test_rows_of_another_hand_are_held_to_the_same_rules(tmp_path):
    write(tmp_path / "l", energy=energy())
    ledger = forge(
        tmp_path / "l", "energy", **energy(energy_j=-1.0, source="meter", state="asleep", t0_s=None)
    )
    text = next(p.text for p in check(ledger).problems if p.rule == "schema")
    assert "t0_s must be given" in text
    assert "'asleep'" in text
    assert "got -1.0 J" in text
    assert "(row 1)" in text


def test_overlap_of_another_hand_is_found(tmp_path):
    write(tmp_path / "l", energy=energy())
    ledger = forge(tmp_path / "l", "energy", **energy(source="meter"))
    assert rules(ledger) == ["overlap"]


@pytest.mark.parametrize("t0_s", [float("inf"), float("-inf"), float("nan"), 5.0])
def test_rows_that_are_no_interval_are_named_and_overlap_nothing(tmp_path, t0_s):
    write(tmp_path / "l", energy=energy())
    forge(tmp_path / "l", "energy", **energy(t0_s=t0_s, source="meter"))
    assert rules(open_ledger(tmp_path / "l")) == ["schema"]


def test_nulls_where_none_may_be_are_a_problem_and_not_a_crash(tmp_path):
    write(tmp_path / "l")
    for table, columns in (("energy", energy()), ("work", work()), ("entity", entity())):
        ledger = forge(tmp_path / "l", table, **dict.fromkeys(columns))
    assert "schema" in rules(ledger)


@pytest.mark.parametrize("value", [None, float("inf"), float("nan")])
def test_joules_that_are_no_numbers_do_not_conserve(tmp_path, value):
    write(tmp_path / "l", control(n=1.0))
    ledger = forge(tmp_path / "l", "energy", **energy(energy_j=value))
    assert rules(ledger) == ["conservation", "schema"]
    assert check(ledger).conservation_error_frac == 1.0


def test_stale_files_and_missing_coverage_are_notes(tmp_path):
    ledger = write(tmp_path / "l", control(n=1.0), energy=energy(source="meter"))
    (tmp_path / "l" / "meta.json.tmp").write_text("{")
    report = check(ledger)
    assert report.problems == ()
    assert any("meta.json.tmp" in note for note in report.notes)
    assert any("no coverage is stated for energy of source 'meter'" in n for n in report.notes)


def test_a_node_in_two_sets_of_boundaries_is_told(tmp_path):
    write(tmp_path / "l", META, energy=energy())
    ledger = forge(tmp_path / "l", "entity", node="n", tier="edge", boundaries="full")
    (problem,) = [p for p in check(ledger).problems if p.table == "entity"]
    assert "'n' with" in problem.text
