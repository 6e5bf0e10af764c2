"""Splits whose figures a pencil gives."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tree6g.compute.accelerator import accelerator
from tree6g.compute.model.config import from_config
from tree6g.compute.splitting.architectures import decoder
from tree6g.compute.splitting.choice import Objective, Worth, best, on_time_tok
from tree6g.compute.splitting.costs import costs
from tree6g.compute.splitting.early_exit import (
    Exit,
    Threshold,
    best_threshold,
    expected_flop,
    reach,
    with_classifiers,
)
from tree6g.compute.splitting.hop import Hop, compression
from tree6g.compute.splitting.migration import moves, recut
from tree6g.compute.splitting.profile import FRAME, Work, dense_decoder, network, profile
from tree6g.compute.splitting.speculative import best_drafts, expected_tok, rounds
from tree6g.compute.splitting.stage import Stage, stage
from tree6g.compute.splitting.tables import tables
from tree6g.errors import InfeasibleError

SIZES = {"heads": 32, "kv_heads": 8, "vocabulary": 128_256}
EIGHT = dense_decoder(
    "llama-3.1-8b", layers=32, hidden=4096, head_dim=128, feed_forward=14_336, **SIZES
)
ONE = dense_decoder(
    "llama-3.2-1b", layers=16, hidden=2048, head_dim=64, feed_forward=8192, byte_per_parameter=0.6,
    **SIZES,
)  # fmt: skip
FP16 = compression("fp16")


def place(name="place", **changes):
    """A place that takes 1 ns per FLOP, draws 1 W while it does, and nothing else."""
    given = {field.name: 0.0 for field in dataclasses.fields(Stage) if field.name != "name"}
    own = {"s_per_flop": 1e-9, "static_w": 1.0, "limit_w": np.inf, "memory_byte": np.inf}
    shares = {"sequences": 1.0, "overhead_frac": 1.0, "weight_frac": 1.0}
    return Stage(name=name, **{**given, **own, **shares, **changes})


def hop(up_bps=8e6, rtt_s=0.0, **changes):
    return Hop(**{"up_bps": up_bps, "down_bps": 8e9, "rtt_s": rtt_s, "header_byte": 0.0, **changes})


def test_a_config_gives_the_layers_that_its_numbers_give():
    """Norms (8,192 parameters a layer) are read too; the formula leaves them out."""
    config = {
        "model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32, "vocab_size": 128_256,
        "num_attention_heads": 32, "num_key_value_heads": 8, "intermediate_size": 14_336,
        "tie_word_embeddings": False, "max_position_embeddings": 131_072,
    }  # fmt: skip
    read = decoder(from_config(config, "llama-3.1-8b"))
    for field in dataclasses.fields(read):
        if field.name not in ("name", "weight_byte", "output_head"):
            ours, theirs = getattr(EIGHT, field.name), getattr(read, field.name)
            np.testing.assert_array_equal(theirs, ours, err_msg=field.name)
    assert (read.weight_byte - EIGHT.weight_byte).tolist() == [2 * 2 * 4096.0] * 32 + [0.0]


def test_experts_are_read_as_far_as_tokens_choose_them():
    config = {
        "model_type": "mixtral", "hidden_size": 64, "num_hidden_layers": 2, "vocab_size": 100,
        "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 128,
        "num_local_experts": 8, "num_experts_per_tok": 2, "sliding_window": 16,
        "tie_word_embeddings": False, "max_position_embeddings": 1024,
    }  # fmt: skip
    model = decoder(from_config(config, "small"))
    experts = 8 * 3 * 64 * 128 * 2.0
    assert model.expert_byte.tolist() == [experts, experts, 0.0]
    one, two = model.read_byte(1.0), model.read_byte(2.0)
    assert one[0] - model.weight_byte[0] == pytest.approx(experts / 4)
    assert two[0] - model.weight_byte[0] == pytest.approx(experts * (1 - 0.75**2))
    assert model.window_tok.tolist() == [16.0, 16.0, np.inf]


def test_a_model_that_makes_no_tokens_is_refused_by_name():
    config = {
        "model_type": "vit", "hidden_size": 192, "num_hidden_layers": 2, "num_attention_heads": 3,
        "intermediate_size": 768, "image_size": 224, "patch_size": 16, "num_channels": 3,
    }  # fmt: skip
    with pytest.raises(InfeasibleError, match="'tiny' is"):
        decoder(from_config(config, "tiny"))


def test_a_prompt_of_512_tokens_of_llama_8b_sends_4_megabytes_of_hidden_values():
    link = hop(50e6)
    table = tables(
        EIGHT, [place(), place()], [link], Work(prompt_tok=512, output_tok=2),
        packing=FP16,
    )  # fmt: skip
    cost = costs(table, [0, 16, 33])
    assert cost.up_byte[0, 0].tolist() == [2048.0, 4_194_304.0, 0.0]
    assert cost.up_s[0, 0, 1] == pytest.approx(0.671, abs=5e-4)
    assert cost.up_byte[1, 0].tolist() == [0.0, 8192.0, 0.0]


def test_three_servers_a_round_trip_of_100_ms_apart_cost_that_many_round_trips_per_token():
    """Petals reports this shape; its figures are recalled ones and validate nothing."""
    model = EIGHT
    work = Work(prompt_tok=10, output_tok=101)
    at = {}
    for rtt_s in (0.005, 0.1):
        places = [place(f"server {n}") for n in range(3)]
        table = tables(model, places, [hop(100e6, rtt_s)] * 2, work, packing=FP16)
        at[rtt_s] = float(costs(table, [[11], [22]]).tpot_s[0])
    assert at[0.1] - at[0.005] == pytest.approx(2 * 0.095)


def test_a_device_that_only_asks_waits_for_no_round_trip_per_token():
    table = tables(
        EIGHT, [place(), place()], [hop(rtt_s=0.1)],
        Work(prompt_tok=10, output_tok=101), packing=FP16,
    )  # fmt: skip
    cost = costs(table, [0, 1])
    assert cost.rtt_s[:, 0, 0].tolist() == [0.1, 0.0]
    assert cost.rtt_s[:, 0, 1].tolist() == pytest.approx([0.1, 10.0])


def test_a_head_on_the_device_brings_hidden_values_down_and_hides_the_answer():
    model = EIGHT
    table = tables(
        model, [place(), place()], [hop(rtt_s=0.1)], Work(prompt_tok=10, output_tok=11),
        packing=FP16, head_on_device=True,
    )  # fmt: skip
    cost = costs(table)
    assert table.layers == 32
    assert cost.down_byte[1, 0, 5] == pytest.approx(10 * 8192.0)
    assert cost.rtt_s[1, 0, :].tolist() == pytest.approx([1.0] * 32 + [0.0])
    head_s = 2.0 * 128_256 * 4096 * 1e-9
    assert cost.compute_s[1, 0, 0] == pytest.approx(10 * head_s)
    with pytest.raises(InfeasibleError, match="output head"):
        tables(
            profile("net", cut_value_per_tok=[1.0, 1.0]), [place(), place()], [hop()], FRAME,
            packing=FP16, head_on_device=True,
        )  # fmt: skip


def test_a_network_that_widens_first_is_never_cut_there():
    """Raw picture 150 kB; tensors of 3.2 MB, 0.8 MB and 8 kB: the shape of Neurosurgeon."""
    net = network(
        "widens", flop=[2e8, 3e9, 4e9, 1e9], parameters=[1e4, 2e5, 2e7, 2e6],
        out_values=[802_816, 200_704, 2048, 1000], input_values=150_528, input_byte=150_528.0,
    )  # fmt: skip
    server = place("server", s_per_flop=1e-11)
    chosen = {}
    for rate_bps in (1e4, 1e5, 1e6, 1e9):
        table = tables(net, [place(), server], [hop(rate_bps)], FRAME, packing=compression("fp32"))
        cost = costs(table)
        assert cost.latency_s[1] > cost.latency_s[0]
        chosen[rate_bps] = int(cost.cuts[0, best(cost, Objective(aim="latency"))])
    # Raw: 150,528 B x 8 / R and 0.082 s; behind layer 3: 7.21 s and 8,192 B; all: 8.2 s.
    assert chosen == {1e4: 4, 1e5: 3, 1e6: 0, 1e9: 0}


def test_a_pass_that_would_draw_more_than_the_limit_takes_longer():
    hot = place(j_per_flop=2e-9, limit_w=2.0)  # 1 W static and 2 J/s of arithmetic: 3 W
    work = Work(prompt_tok=1, output_tok=1)
    model = profile("one", flop_per_tok=[1e9], cut_value_per_tok=[1.0, 1.0])
    cost = costs(tables(model, [hot, place()], [hop()], work, packing=FP16), [1])
    assert cost.latency_s[0] == pytest.approx(2.0)
    assert cost.energy_j[0] == pytest.approx(4.0)


def test_int4_sends_less_than_a_third_of_fp16_and_costs_the_quality_that_is_stated():
    values = np.array([4096.0])
    assert compression("int8").byte(values)[0] == 4098.0
    assert compression("int4").byte(values)[0] == 4096 * 0.5625
    assert compression("topk", kept_frac=0.1).byte(values)[0] == pytest.approx(4096 * 0.4)
    model = EIGHT
    packing = compression("int4", quality_frac=0.9)
    table = tables(
        model, [place(), place()], [hop()], Work(prompt_tok=10, output_tok=2), packing=packing
    )
    assert costs(table, [0, 5, 33]).quality_frac.tolist() == [1.0, 0.9, 1.0]


@pytest.mark.parametrize(
    ("ttft_s", "tpot_s", "tokens"),
    [
        (0.5, 0.05, 10),  # all early
        (2.0, 0.2, 0),  # all late
        (0.5, 0.2, 6),  # 0.5 + 0.2 i <= 1 + 0.1 i for i <= 5
        (1.5, 0.05, 0),  # catches up at i = 10, the eleventh token
        (1.2, 0.05, 6),  # catches up at i = 4
        (1.0, 0.1, 10),
    ],
)
def test_tokens_on_time_are_those_under_the_line(ttft_s, tpot_s, tokens):
    worth = Worth(alpha_bit_per_tok=1.0, input_weight_frac=0.0, ttft_s=1.0, tpot_s=0.1)
    assert on_time_tok(np.array(ttft_s), np.array(tpot_s), 10, worth) == tokens


def test_moving_four_layers_of_llama_8b_at_1000_tokens_moves_16_megabytes_or_recomputes_them():
    model = EIGHT
    link = hop(80e6, 0.01)
    slow, fast = place(s_per_flop=1e-12), place(s_per_flop=1e-14)
    found = moves(model, slow, fast, link, cut=8, context_tok=1000.0)
    assert found.sent_byte[12] == 4 * 1000 * 4096
    assert found.sent_byte[8] == found.send_s[8] == found.again_s[8] == 0.0
    assert found.send_s[4] == pytest.approx(0.01 + 4 * 1000 * 4096 * 8 / 80e6)
    flop = 8 * (2.0 * 4096 * (2 * 40 * 128 + 3 * 14_336) * 1000 + 4.0 * 4096 * 1000**2 / 2)
    assert found.again_s[4] == pytest.approx(flop * 1e-14 + 0.01 + 4000 * 8 / 80e6)
    assert found.recomputed(1.0)[4]
    hidden = moves(model, slow, fast, link, cut=8, context_tok=1000.0, private=True)
    assert np.isinf(hidden.again_s[4])
    assert np.isfinite(hidden.again_s[12])
    kept = moves(model, slow, fast, link, cut=8, context_tok=1000.0, kept_hidden=True)
    assert kept.again_s[12] == pytest.approx(found.again_s[12] / 3)


def test_a_cut_moves_only_if_the_rest_of_the_answer_pays_for_it():
    loss, price = np.array([1.0, 3.0]), np.array([10.0, 0.0])
    assert recut(loss, price, cut=1, rest_tok=5.0, hysteresis_frac=0.0) == 1
    assert recut(loss, price, cut=1, rest_tok=6.0, hysteresis_frac=0.0) == 0
    assert recut(loss, price, cut=1, rest_tok=6.0, hysteresis_frac=0.5) == 1
    shut = np.array([False, True])
    assert recut(loss, price, cut=1, rest_tok=100.0, allowed=shut) == 1


def test_half_the_frames_that_leave_in_the_middle_save_a_quarter():
    net = network(
        "four", flop=[1e9] * 4, parameters=[1.0] * 4, out_values=[10.0] * 4, input_values=10,
        input_byte=10.0,
    )  # fmt: skip
    exits = [Exit(layer=2, leave_frac=0.5, flop=1e8)]
    assert expected_flop(net, exits) == pytest.approx(3.1e9)
    share = reach(4, exits)
    assert share[0].tolist() == [1.0, 1.0, 0.5, 0.5, 0.5]
    table = tables(
        with_classifiers(net, exits), [place(), place()], [hop(80.0)], FRAME, packing=FP16,
        reach=share,
    )  # fmt: skip
    cost = costs(table)
    assert cost.latency_s[4] == pytest.approx(3.1)
    assert cost.up_s[0, 0].tolist() == pytest.approx([1.0, 2.0, 1.0, 1.0, 0.0])
    prompts = reach(4, exits, decoder=True)
    assert prompts[0].tolist() == [1.0] * 5


def test_rounds_of_drafts_give_the_tokens_that_the_series_gives():
    assert expected_tok([0, 1, 2], 0.5).tolist() == [1.0, 1.5, 1.75]
    assert expected_tok(3, 1.0) == 4.0
    assert expected_tok(3, 0.0) == 1.0
    with pytest.raises(InfeasibleError, match="acceptance"):
        expected_tok(3, 1.5)


def test_drafts_pay_over_a_short_round_trip_only():
    small = ONE
    phone = stage(accelerator("snapdragon-8-gen3"), weights="int4", idle="free")
    server = stage(accelerator("h100-sxm"))
    large = EIGHT
    near, far = (
        rounds(
            small, phone, large, server, hop(50e6, rtt_s), context_tok=1000.0, accept_frac=0.8,
        )
        for rtt_s in (0.0, 0.1)
    )  # fmt: skip
    assert far.round_s[3] - near.round_s[3] == pytest.approx(0.1)
    assert far.network_s[0] == 0.0  # the server streams, the device only listens
    assert near.token_draft_rejected[3] == pytest.approx(3 - (expected_tok(3, 0.8) - 1))
    assert far.up_byte[3] == 12.0
    for found in (near, far):
        for price in (0.0, 5.0, 1e6):
            each = [j + price * s for j, s in zip(found.j_per_tok, found.tpot_s, strict=True)]
            assert best_drafts(found, j_per_s=price) == each.index(min(each))
    same = rounds(small, server, large, server, None, context_tok=1000.0, accept_frac=0.8)
    assert same.network_s.max() == 0.0
    assert same.tpot_s[3] < same.tpot_s[0]


def test_the_best_threshold_is_the_cheapest_of_those_that_are_good_enough():
    net = network(
        "four", flop=[1e9] * 4, parameters=[1.0] * 4, out_values=[10.0] * 4, input_values=10,
        input_byte=10.0,
    )  # fmt: skip
    rows = [
        Threshold(confidence=c, exits=(Exit(layer=2, leave_frac=leave, flop=0.0),), quality_frac=q)
        for c, leave, q in ((0.5, 0.8, 0.7), (0.7, 0.5, 0.9), (0.9, 0.1, 0.99))
    ]
    each = [
        costs(
            tables(net, [place(), place()], [hop(80.0)], FRAME, packing=FP16,
                   reach=reach(4, row.exits))
        )
        for row in rows
    ]  # fmt: skip
    aim = Objective(aim="latency")
    assert best_threshold(rows, each, aim)[0] == 0
    number, split = best_threshold(rows, each, aim, least_quality_frac=0.8)
    assert number == 1
    assert each[1].latency_s[split] == each[1].latency_s.min()
    with pytest.raises(InfeasibleError, match=r"quality 1; the best row has 0\.99"):
        best_threshold(rows, each, aim, least_quality_frac=1.0)
