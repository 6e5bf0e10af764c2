"""Closed forms of massive MIMO against drawn Rayleigh channels."""

from __future__ import annotations

import numpy as np
import pytest

from tree6g.errors import InfeasibleError
from tree6g.radio.mimo import best_layers, csi_frac, layer_sinr_db


def _shannon(sinr_db):
    return np.log2(1.0 + 10.0 ** (sinr_db / 10.0))


def _channels(rng, draws, users, antennas):
    shape = (draws, users, antennas)
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)) / np.sqrt(2.0)


@pytest.mark.parametrize(("antennas", "layers"), [(8, 2), (16, 8), (64, 12)])
@pytest.mark.parametrize("sinr_db", [-10.0, 10.0])
def test_zero_forcing_rate_lies_within_a_degree_of_freedom_of_the_closed_form(
    antennas, layers, sinr_db
):
    rng = np.random.default_rng(antennas)
    channel = _channels(rng, 2000, layers, antennas)
    gram = channel @ channel.conj().transpose(0, 2, 1)
    gain = 1.0 / np.real(np.einsum("dkk->dk", np.linalg.inv(gram)))
    single = 10.0 ** (sinr_db / 10.0) / layers
    drawn = np.log2(1.0 + single * gain).mean()
    upper = _shannon(layer_sinr_db(sinr_db, layers, antennas=antennas))
    lower = np.log2(1.0 + single * (antennas - layers))
    assert gain.mean() == pytest.approx(antennas - layers + 1, rel=0.02)
    assert lower * 0.995 <= drawn <= upper * 1.005


def test_maximum_ratio_rate_is_close_to_the_closed_form():
    antennas, layers, sinr_db = 64, 8, 0.0
    channel = _channels(np.random.default_rng(1), 1500, layers, antennas)
    beams = channel.conj() / np.linalg.norm(channel, axis=2, keepdims=True)
    power = np.abs(channel @ beams.transpose(0, 2, 1)) ** 2 / layers  # [draw, user, beam]
    own = np.einsum("dkk->dk", power)
    sinr = own / (1.0 + power.sum(axis=2) - own)
    closed = layer_sinr_db(sinr_db, layers, antennas=antennas, precoding="maximum-ratio")
    assert np.log2(1.0 + sinr).mean() == pytest.approx(float(_shannon(closed)), rel=0.03)


def test_an_estimate_from_pilots_holds_the_share_that_the_formula_says():
    rng, pilots, sinr = np.random.default_rng(2), 4, 0.5
    channel = _channels(rng, 100_000, 1, 1).ravel()
    noise = _channels(rng, 100_000, 1, 1).ravel() / np.sqrt(pilots * sinr)
    share = csi_frac(10.0 * np.log10(sinr), pilots)
    estimate = float(share) * (channel + noise)
    assert np.mean(np.abs(estimate) ** 2) == pytest.approx(float(share), rel=0.02)
    assert np.mean(np.abs(channel - estimate) ** 2) == pytest.approx(1.0 - float(share), rel=0.02)


def test_one_antenna_and_one_layer_change_nothing():
    sinr_db = np.array([-7.0, 3.0, 22.0])
    assert layer_sinr_db(sinr_db, 1, antennas=1) == pytest.approx(sinr_db)
    assert layer_sinr_db(sinr_db, 1, antennas=64) == pytest.approx(sinr_db + 10 * np.log10(64))


def test_what_is_unknown_of_the_channel_limits_the_sinr_of_several_layers():
    known = layer_sinr_db(60.0, 4, antennas=16)
    blurred = layer_sinr_db(60.0, 4, antennas=16, csi_frac=0.9)
    assert known - blurred > 30.0
    assert blurred == pytest.approx(10 * np.log10(0.9 * 13 / (0.1 * 3)), abs=0.01)


def test_more_layers_are_worth_it_only_where_the_signal_is_strong():
    best = best_layers(np.array([-25.0, 0.0, 25.0]), antennas=64, most=12, efficiency=_shannon)
    assert best.layers[0] < best.layers[1] <= best.layers[2] == 12
    assert (np.diff(best.efficiency) > 0.0).all()
    for sinr_db, layers, total in zip(
        [-25.0, 0.0, 25.0], best.layers, best.efficiency, strict=True
    ):
        sums = [k * _shannon(layer_sinr_db(sinr_db, k, antennas=64)) for k in range(1, 13)]
        assert total == pytest.approx(max(sums))
        assert layers == np.argmax(sums) + 1


def test_layers_never_outnumber_the_antennas():
    best = best_layers(np.array([[40.0], [50.0]]), antennas=4, efficiency=_shannon)
    assert (best.layers <= 4).all()
    assert best.sinr_db.shape == (2, 1)
    with pytest.raises(InfeasibleError, match="1 to 4 layers on 4 antennas; got 5"):
        layer_sinr_db(0.0, 5, antennas=4)
