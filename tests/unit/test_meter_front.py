"""A front that tells tenants apart, before it has served anybody."""

from __future__ import annotations

import pytest

from tree6g.errors import ScenarioError
from tree6g.meter.agent.config import Target, load
from tree6g.meter.agent.header import meta_of
from tree6g.meter.agent.pieces import Deed, Pieces
from tree6g.meter.agent.tenants import Division
from tree6g.meter.agent.tracker import Cover, Seen, Tracker
from tree6g.meter.reading import Found, reading
from tree6g.metric.profile import from_meta

FRONT = Target(name="front", way="url", where="http://127.0.0.1:1", node="box", tenants_of="llama")


def _tokens(value: float) -> Found:
    return Found(
        format="proxy", readings=(reading("tokens", "token_out", "counter", value, start_s=50.0),)
    )


def test_a_front_without_requests_covers_its_time_and_its_first_tokens_count():
    tracker = Tracker(FRONT, 1.0)
    tracker.step(Found(format="proxy"), 100.0)
    tracker.commit()
    idle = tracker.step(Found(format="proxy"), 101.0)
    tracker.commit()
    assert idle.cover == [Cover("work", "box", 100.0, 101.0, "")]
    served = tracker.step(_tokens(7.0), 102.0)
    assert served.cover == [Cover("work", "box", 101.0, 102.0, "")]
    assert [deed.amount for deed in served.pieces.deeds] == [7.0]


def test_work_of_a_server_that_names_no_model_has_the_one_of_its_front():
    def deed(model: str, tenant: str, amount: float) -> Deed:
        return Deed(0.0, 1.0, "box", model, tenant, "token_out", amount, "measured")

    division = Division("llama", 300.0)
    total = Seen(Pieces(deeds=[deed("", "", 10.0)]), [], since_s=0.0, time_s=1.0)
    front = Pieces(deeds=[deed("smollm2", "alice", 6.0)])
    made = division.step(total, {"token_out"}, {"front": front}, 1.0)
    assert [(o.deed.tenant, o.deed.model, o.deed.amount) for o in made.deeds] == [
        ("alice", "smollm2", 6.0)
    ]


def test_quality_by_model_is_in_the_header_of_the_ledger(tmp_path):
    path = tmp_path / "meter.yaml"
    path.write_text(
        "ledger: out\nservices:\n  chat: {tenant: alice, quality: {little: 0.8}}\n"
        "targets:\n  a: {url: 'http://127.0.0.1:1/metrics', node: box}\n"
    )
    assert from_meta(meta_of(load(path)))["chat"].quality == {"little": 0.8}
    path.write_text(path.read_text().replace("0.8", "good"))
    with pytest.raises(ScenarioError, match=r"chat\.quality\.little"):
        load(path)
