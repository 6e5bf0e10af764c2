"""Training of a model: FLOP and memory by method, exchange by layout, time and energy of a run."""

from __future__ import annotations

import dataclasses
import json

import pytest
from typer.testing import CliRunner

from tree6g.cli import app
from tree6g.compute.accelerator import accelerator
from tree6g.compute.model import counts
from tree6g.compute.model.catalogue import architecture
from tree6g.compute.model.networks import network
from tree6g.errors import DataError, InfeasibleError
from tree6g.training import memory
from tree6g.training.communication import Layout, all_reduce_byte, exchange
from tree6g.training.published import published_models, published_run
from tree6g.training.run import (
    UTILISATION_FRAC,
    UTILISATION_HIGH_FRAC,
    UTILISATION_LOW_FRAC,
    Plan,
    energy_range_j,
    fastest_and_slowest,
    least_layout,
    run,
)
from tree6g.training.work import METHODS, flop_per_unit, image_trainee, method_of, trainee

LLAMA = architecture("llama-2-7b")


def _trainee(method, sequence=512, model=LLAMA, rank=8):
    return trainee(model, method, sequence=sequence, rank=rank)


def _plan(method="pretrain", **changes):
    model = changes.pop("model", None) or _trainee(method)
    device = accelerator("h100-sxm")
    given = {"units": 1e9, "batch": 65536.0, "layout": Layout(tensor=8)} | changes
    return Plan(model=model, method=method, device=device, **given)


def test_full_training_costs_three_forward_passes():
    model = _trainee("full")
    forward = counts.forward_flop(LLAMA, 512, causal=True) / 512
    assert flop_per_unit(model) == pytest.approx(3.0 * forward, rel=1e-12)
    assert flop_per_unit(model, recompute=True) == pytest.approx(4.0 * forward, rel=1e-12)


def test_an_adapter_saves_a_third_of_the_matrices_and_nothing_of_the_pairs():
    full, lora = _trainee("full"), _trainee("lora")
    saved = flop_per_unit(full) - flop_per_unit(lora)
    own = 3.0 * lora.adapter.flop_per_tok
    assert saved == pytest.approx(full.matrix_flop - own, rel=1e-12)
    assert own == pytest.approx(6.0 * lora.trained, rel=1e-12)
    assert flop_per_unit(lora) == flop_per_unit(_trainee("qlora"))


def test_pairs_and_matrices_are_the_whole_forward_pass():
    for name in ("llama-3-8b", "t5-base", "mistral-7b"):
        model = architecture(name)
        taught = trainee(model, "full", sequence=256)
        whole = counts.forward_flop(model, 256, causal=True, encoder_tok=256) / 256
        assert taught.matrix_flop + taught.pair_flop == pytest.approx(whole, rel=1e-12)
        twice = trainee(model, "full", sequence=512)
        assert twice.matrix_flop == pytest.approx(taught.matrix_flop, rel=1e-12)


def test_state_is_sixteen_byte_per_parameter_or_that_of_adapters():
    n, own = LLAMA_PARAMETERS, _trainee("lora").trained
    assert own == 4_194_304
    assert memory.state_byte(_trainee("full"), "full") == 16.0 * n
    assert memory.state_byte(_trainee("lora"), "lora") == 2.0 * n + 16.0 * own


LLAMA_PARAMETERS = 6_738_415_616


def test_qlora_fits_a_large_model_on_one_card_of_48_gigabyte():
    model = trainee(architecture("llama-2-70b"), "qlora", sequence=512)
    held = memory.state_byte(model, "qlora") + memory.activation_byte(model, 1, recompute=True)
    assert 35e9 < held < 48e9
    per_weight = memory.weight_byte(model, "qlora") / model.parameters
    assert 0.516 < per_weight < 0.53  # embedding and head stay in 16 bits


def test_devices_send_twice_the_gradients_less_their_own_share():
    assert all_reduce_byte(8.0, 1) == 0.0
    sent = exchange(_trainee("full"), Layout(data=4), 65536.0)
    assert sent.data_byte == pytest.approx(1.5 * 2.0 * LLAMA_PARAMETERS)
    assert (sent.tensor_byte, sent.pipeline_byte) == (0.0, 0.0)
    lora = exchange(_trainee("lora"), Layout(data=4), 65536.0)
    assert sent.byte / lora.byte == pytest.approx(1606.6, rel=1e-4)


def test_activations_cross_layers_with_tensor_and_borders_with_pipeline_parallelism():
    batch, hidden = 65536.0, 4096
    tensor = exchange(_trainee("full"), Layout(tensor=8), batch)
    assert tensor.tensor_byte == pytest.approx(4 * 32 * 2 * 7 / 8 * 2.0 * hidden * batch)
    stages = exchange(_trainee("full"), Layout(pipeline=4), batch)
    assert stages.pipeline_byte == pytest.approx(2.0 * 0.75 * 2.0 * hidden * batch)


def test_energy_is_the_sum_of_its_parts_and_grows_with_the_tokens():
    done = run(_plan(host_w=150.0, pue=1.2))
    parts = done.device_j + done.host_j + done.link_j
    assert done.energy_j == pytest.approx(1.2 * parts, rel=1e-12)
    twice = run(_plan(host_w=150.0, pue=1.2, units=2e9))
    assert twice.energy_j == pytest.approx(2.0 * done.energy_j, rel=1e-12)
    assert done.device_w <= accelerator("h100-sxm").tdp_w
    assert done.bound_by == "compute"
    assert done.device_s == pytest.approx(done.flop / (9.894e14 * UTILISATION_FRAC), rel=1e-12)


def test_a_slow_link_binds_and_a_missing_one_is_refused():
    slow = dataclasses.replace(accelerator("h100-sxm"), interconnect_byte_per_s=1e7)
    assert run(dataclasses.replace(_plan(), device=slow)).bound_by == "exchange"
    none = dataclasses.replace(slow, interconnect_byte_per_s=None)
    with pytest.raises(InfeasibleError, match="has none"):
        run(dataclasses.replace(_plan(), device=none))


def test_the_least_layout_holds_the_model_and_one_device_less_does_not():
    device, model = accelerator("a100-80"), _trainee("full")
    layout = least_layout(model, "full", device)
    assert layout == Layout(tensor=2)
    run(_plan("full", model=model, layout=layout))
    with pytest.raises(InfeasibleError, match=r"needs .* per device"):
        run(dataclasses.replace(_plan("full", model=model), device=device, layout=Layout()))
    assert least_layout(_trainee("qlora"), "qlora", device) == Layout()


def test_published_runs_are_inside_of_the_stated_range_of_utilisation():
    errors = {}
    for name in published_models():
        told = published_run(name)
        model = trainee(architecture(told.model), "pretrain", sequence=told.sequence_tok)
        device = accelerator(told.accelerator)
        flop = told.units_tok * flop_per_unit(model)
        reached = flop / (told.device_s * device.fp16_flop_per_s)
        assert UTILISATION_LOW_FRAC <= round(reached, 3) <= UTILISATION_HIGH_FRAC
        errors[name] = reached / UTILISATION_FRAC - 1.0
    assert [round(errors[f"llama-2-{size}"], 2) for size in ("7b", "13b", "70b")] == [
        0.04,
        -0.01,
        0.11,
    ]
    assert round(errors["llama-3.1-405b"], 2) == -0.14


def test_the_range_of_the_energy_holds_the_value():
    low, high = energy_range_j(_plan())
    assert low < run(_plan()).energy_j < high


def test_a_convolutional_network_is_trained_by_the_image_and_whole():
    net = network("resnet50")
    model = image_trainee(net, "full")
    assert flop_per_unit(model) == 3.0 * net.flop
    with pytest.raises(DataError, match="Adapters"):
        image_trainee(net, "lora")
    with pytest.raises(DataError, match="whole copies"):
        exchange(model, Layout(tensor=2), 64.0)


def test_what_cannot_be_is_refused_all_at_once():
    with pytest.raises(DataError, match=r"units above 0.*batch.*utilisation_frac.*pue"):
        _plan(units=0.0, batch=1.0, utilisation_frac=2.0, pue=0.5)
    with pytest.raises(DataError, match=r"batch of at least one sample \(got inf\)"):
        _plan(batch=float("inf"))
    with pytest.raises(DataError, match=r"pipeline of at most 32 layers \(got 33\)"):
        _plan(layout=Layout(pipeline=33))
    with pytest.raises(DataError, match="Did you mean 'lora'"):
        method_of("lor")
    with pytest.raises(DataError, match="at least one token"):
        _trainee("full", sequence=0)
    with pytest.raises(DataError, match="tensor of at least 1"):
        Layout(tensor=0)


def test_more_ranks_than_there_is_work_for_are_refused_in_plain_words():
    with pytest.raises(DataError, match=r"tensor of at most 64 devices, 64 columns .*got 100000"):
        _plan(layout=Layout(tensor=100_000))
    with pytest.raises(DataError, match=r"data of at most the 128 samples .*got 1e\+09"):
        _plan(layout=Layout(data=10**9))
    with pytest.raises(DataError, match=r"at least one update.*got 0.5"):
        _plan(units=32768.0)


def test_published_hours_are_inside_of_the_hours_of_the_stated_utilisations():
    for name in ("llama-2-70b", "llama-3.1-8b", "llama-3.1-405b"):
        told = published_run(name)
        model = trainee(architecture(told.model), "pretrain", sequence=told.sequence_tok)
        device = accelerator(told.accelerator)
        layout = least_layout(model, "pretrain", device)
        plan = Plan(model=model, method="pretrain", units=told.units_tok, device=device,
                    batch=64.0 * told.sequence_tok, layout=layout)  # fmt: skip
        quick, slow = fastest_and_slowest(plan)
        assert quick.device_s <= told.device_s <= slow.device_s * 1.003
        assert quick.device_s < run(plan).device_s < slow.device_s


def test_a_run_of_less_than_a_batch_is_one_update():
    found = json.loads(_run("llama-3.2-1b", "--method", "full", "--tokens", "1e5", "--json").stdout)
    assert found["updates"] == 1.0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--tensor", "100000"], "tensor of at most 64 devices"),
        (["--data", "1000000000"], "of at least one update, by fewer copies"),
        (["--tensor", "8", "--data", "4", "--devices", "16"], "got 4 x 8 x 1 = 32 of 16"),
    ],
)
def test_the_command_refuses_layouts_that_nobody_has(words, told):
    done = _run("llama-3.1-8b", *words)
    assert done.exit_code == 2
    assert told in " ".join(done.stderr.split())


def test_the_command_prints_hours_with_the_range_of_published_utilisations():
    done = _run("llama-3.1-8b")
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("device hours")]
    assert " to " in line
    found = json.loads(_run("llama-3.1-8b", "--json").stdout)
    assert found["device_low_s"] < found["device_s"] < found["device_high_s"]
    assert found["device_s"] / found["device_high_s"] == pytest.approx(0.148 / 0.40, rel=0.01)


def _run(*words):
    return CliRunner().invoke(app, ["training", *words])


def test_the_command_prints_a_published_run_beside_ours():
    done = _run("llama-2-13b")
    assert done.exit_code == 0, done.output
    assert "published: 368,640 device hours" in done.stdout
    assert "ours takes 0.99 times their hours" in done.stdout


@pytest.mark.parametrize("method", METHODS)
def test_the_command_takes_every_method(method):
    done = _run("llama-3.2-1b", "--method", method, "--tokens", "1e6", "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["method"] == method
    assert found["energy_low_j"] < found["energy_j"] < found["energy_high_j"]


def test_the_command_says_what_is_missing():
    done = _run("qwen2.5-7b")
    assert done.exit_code == 2
    assert "expected --tokens" in done.stderr
    assert _run("resnet50", "--tokens", "1e6", "--method", "full").exit_code == 0
