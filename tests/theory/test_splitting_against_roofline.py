"""A model that is not split costs what the roofline of the whole says.

The output head is a layer of its own in a split: one launch more, and its bound is taken apart from
that of the body; the empty rows that grouped products of experts compute are left out. So figures
agree within some per cent, not to the last digit.
"""

from __future__ import annotations

import pytest

from tree6g.compute.accelerator import accelerator
from tree6g.compute.model.catalogue import architecture
from tree6g.compute.model.footprint import footprint
from tree6g.compute.replica import replica
from tree6g.compute.roofline import decode_batch, iteration, prompt_batch
from tree6g.compute.serial import answer
from tree6g.compute.splitting.architectures import decoder
from tree6g.compute.splitting.costs import costs
from tree6g.compute.splitting.hop import Hop, compression
from tree6g.compute.splitting.profile import Work
from tree6g.compute.splitting.setup import Place
from tree6g.compute.splitting.tables import tables

MODELS = ("llama-3.1-8b", "qwen3-30b-a3b", "gpt-oss-20b", "nemotron-nano-9b-v2")
LINK = Hop(up_bps=1e9, down_bps=1e9, rtt_s=0.0)


def ends(model, device, server, work):
    table = tables(
        decoder(architecture(model)), [device.stage(), server.stage()], [LINK], work,
        packing=compression(),
    )  # fmt: skip
    return costs(table, [0, table.layers])


def whole(model, name, weights="fp16"):
    return replica(accelerator(name), footprint(architecture(model)), weights=weights)


def test_a_phone_that_answers_alone():
    phone = Place(accelerator="snapdragon-8-gen3", weights="int4", idle="free")
    found = ends("llama-3.2-1b", phone, phone, Work(prompt_tok=100, output_tok=50))
    alone = answer(whole("llama-3.2-1b", "snapdragon-8-gen3", "int4"), 100, 50)
    assert found.ttft_s[1] == pytest.approx(alone.time_s[0], rel=0.05)
    assert found.latency_s[1] == pytest.approx(alone.time_s[-1], rel=0.02)
    assert found.energy_j[1] == pytest.approx(alone.energy_j.sum(), rel=0.03)


@pytest.mark.parametrize("model", MODELS)
def test_a_loaded_server_charges_a_request_its_share_of_the_batch(model):
    server = Place(accelerator="h100-sxm", sequences=64.0)
    found = ends(model, server, server, Work(prompt_tok=500, output_tok=2))
    r = whole(model, "h100-sxm")
    step = iteration(r, decode_batch(64.0, 64.0 * 501, 64.0 * min(501, r.window_tok)))
    assert found.compute_s[1, 1, 0] == pytest.approx(step.time_s, rel=0.1)
    assert found.compute_j[1, 1, 0] == pytest.approx(step.energy_j / 64.0, rel=0.15)


@pytest.mark.parametrize("model", MODELS)
def test_a_prompt_by_itself(model):
    server = Place(accelerator="h100-sxm")
    found = ends(model, server, server, Work(prompt_tok=2000, output_tok=1))
    r = whole(model, "h100-sxm")
    step = iteration(r, prompt_batch(2000.0, window_tok=r.window_tok))
    assert found.compute_s[0, 1, 0] == pytest.approx(step.time_s, rel=0.1)
    assert found.compute_j[0, 1, 0] == pytest.approx(step.energy_j, rel=0.1)
