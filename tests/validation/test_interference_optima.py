"""Published global optima of energy efficiency under interference are not undercut."""

from __future__ import annotations

import pytest

from tree6g.calibrate import kinds
from tree6g.errors import DataError
from tree6g.optimise.interference import published


@pytest.fixture(scope="module")
def some_rows(reference_data, tmp_path_factory):
    """The validation on every sixth row, of all numbers of links."""
    folder = tmp_path_factory.mktemp("gee")
    source = reference_data / "optimise"
    head, *rows = (source / "gee_global_optima.csv").read_text("utf-8").splitlines()
    (folder / "gee.csv").write_text("\n".join([head, *rows[::6]]) + "\n", encoding="utf-8")
    (folder / published.CHANNELS).symlink_to(source / published.CHANNELS)
    return kinds.validate("gee", [folder / "gee.csv"])


def test_no_published_optimum_is_undercut_by_more_than_its_tolerance(some_rows):
    result = some_rows
    assert result.rows == 75
    assert result.misses == ()
    assert result.figures["inside_range_frac"] == 1.0
    # In fact none is undercut at all, beyond the digits that were published.
    assert result.figures["max_below"] <= 1e-6
    assert {group.name for group in result.groups} == {f"{n} links" for n in range(2, 11)}


def test_few_links_are_proved(some_rows):
    few = [group for group in some_rows.groups if group.name in ("2 links", "3 links")]
    assert [group.figures["proved_frac"] for group in few] == [1.0, 1.0]


def test_a_file_without_its_channels_is_told(tmp_path):
    (tmp_path / "gee.csv").write_text("users,channel_index,gee_opt_bits_per_Hz_per_J\n2,0,0.1\n")
    with pytest.raises(DataError, match=r"channels in .*interference_channels\.npz"):
        kinds.validate("gee", [tmp_path / "gee.csv"])
