"""A front that tells tenants apart, before it has served anybody."""

from __future__ import annotations

from tree6g.meter.agent.config import Target
from tree6g.meter.agent.tracker import Cover, Tracker
from tree6g.meter.reading import Found, reading

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
