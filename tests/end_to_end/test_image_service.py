"""A generative model without tokens: counts, energy and utility by the image."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

import tree6g
from tree6g.cli import app
from tree6g.compute.model.catalogue import architecture, tokens_per_result
from tree6g.compute.model.footprint import image_footprint
from tree6g.compute.model.networks import network
from tree6g.errors import ScenarioError
from tree6g.report.life_use import Assumptions, gather
from tree6g.scenario.load import load

SHORT = ("duration=1 min", "drain=10 s")


def test_the_generators_have_their_published_sizes():
    unet = network("pix2pix")
    assert unet.parameters == 54_413_955  # 54.414 M, as the reference implementation prints
    shapes = {layer.name: layer.shape for layer in unet.layers}
    assert shapes["down8"] == (512, 1, 1)
    assert shapes["up1"] == (3, 256, 256)
    larger = network("edsr_x4")
    assert larger.parameters == 43_089_923  # 43 M, Table 1
    assert larger.layers[-1].shape == (3, 1024, 1024)


def test_a_transposed_convolution_costs_what_its_mirror_does():
    layers = {layer.name: layer for layer in network("pix2pix").layers}
    # up8 takes 512 channels of 1 pixel to 512 of 2 x 2; down8 the other way round.
    assert layers["up8"].flop == layers["down8"].flop


def test_an_image_is_one_prompt_and_nothing_is_decoded():
    found = image_footprint(network("pix2pix"))
    assert found.prompt_flop_per_tok == network("pix2pix").flop
    assert (found.decode_flop_per_tok, found.kv_value_per_tok, found.head_flop) == (0, 0, 0)
    assert found.layers == 16


def test_an_image_counts_as_the_tokens_that_its_model_declares():
    assert tokens_per_result("pix2pix") == (256 / 16) ** 2
    assert tokens_per_result("edsr_x4") == (1024 / 16) ** 2
    assert tokens_per_result("llama-3-8b") is None
    assert architecture("llama-3-8b").kind == "decoder"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return tree6g.run("pictures", out=tmp_path_factory.mktemp("pictures"), overrides=SHORT)


def test_images_earn_their_tokens_and_pay_their_joules(run):
    figure = run.tree()
    own = figure.service("drawings")
    assert own.requests == own.tokens_out_tok == own.tokens_in_tok > 50
    assert own.utility_beq == pytest.approx(own.tokens_out_tok * 256 * 1e4, rel=1e-9)
    assert own.served_share_frac == 1.0
    assert 10.0 < own.j_per_tok < 500.0
    assert figure.conservation_error_frac < 1e-9


def test_energy_above_idle_is_at_least_that_of_the_flop(run):
    figure = run.tree()
    rows = run.ledger.query(
        "SELECT sum(energy_j) AS j FROM energy WHERE state IN ('prefill', 'decode', 'active')"
        " AND component = 'gpu'"
    ).to_pylist()
    images = figure.service("drawings").tokens_out_tok
    assert rows[0]["j"] > images * network("pix2pix").flop * 4.781e-13


def test_its_life_is_told_by_the_image(run):
    (found,) = gather(run.ledger, Assumptions(training_j=1e9))
    assert (found.unit, found.models) == ("image", {"pix2pix": 1.0})
    words = ["lifecycle", str(run.path), "--training-energy", "100 kWh", "--json"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    service = json.loads(done.stdout)["services"][0]
    assert service["unit"] == "image"
    assert service["break_even_tok"]["value"] > 1e3


def test_models_must_give_what_their_services_bring():
    wrong = ("sites.0.servers.painter.model=llama-3.2-1b",)
    with pytest.raises(ScenarioError, match="which gives tokens"):
        load("pictures", wrong)
    with pytest.raises(ScenarioError, match="which gives images"):
        load("street-corner", ("sites.0.servers.gpu.model=pix2pix",))
