"""The bytes of a target come over a real socket, within bounds, or there is a reason."""

from __future__ import annotations

import http.server
import socket
import threading
from pathlib import Path

import pytest

from tree6g.errors import MeterError
from tree6g.meter import discover, fetch, probe

SAMPLES = Path(__file__).parents[1] / "fixtures" / "meter"


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/metrics":
            body = (SAMPLES / "vllm.prom").read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        elif self.path == "/endless":
            self.send_response(200)
            self.end_headers()
            while not self.server.stopped.wait(0.01):
                try:
                    self.wfile.write(b"a" * 1000)
                except OSError:
                    return
        elif self.path == "/file":
            self.send_response(302)
            self.send_header("Location", "file:///etc/hostname")
            self.end_headers()
        else:
            self.send_error(404)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def server():
    served = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    served.daemon_threads = True
    served.stopped = threading.Event()
    thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield served
    served.stopped.set()
    served.shutdown()
    served.server_close()
    thread.join()


def _url(server, path):
    return f"http://127.0.0.1:{server.server_port}{path}"


def test_a_live_address_is_read_like_a_file(server):
    assert probe.probe(_url(server, "/metrics")) == probe.probe(str(SAMPLES / "vllm.prom"))


def test_an_address_without_metrics_says_where_they_usually_are(server):
    with pytest.raises(MeterError, match=r"404.*usually at /metrics"):
        fetch.fetch(_url(server, "/"))


def test_an_answer_without_end_is_given_up(server, monkeypatch):
    with pytest.raises(MeterError, match="has not come to an end"):
        fetch.fetch(_url(server, "/endless"), whole_s=0.2)
    monkeypatch.setattr(fetch, "MAX_BYTE", 2000)
    with pytest.raises(MeterError, match="at most 2,000 byte"):
        fetch.fetch(_url(server, "/endless"))


def test_an_address_cannot_lead_to_a_file(server):
    with pytest.raises(MeterError, match="302"):
        fetch.fetch(_url(server, "/file"))
    for url in ("file:///etc/hostname", "ftp://127.0.0.1/x", "http://", "http://[::1", "x://y"):
        with pytest.raises(MeterError):
            fetch.fetch(url)


def test_silence_and_absence_are_told():
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        with pytest.raises(MeterError, match="timed out"):
            fetch.fetch(f"http://127.0.0.1:{mute.getsockname()[1]}/", quiet_s=0.1)
        port = mute.getsockname()[1]
    with pytest.raises(MeterError, match="cannot reach"):
        fetch.fetch(f"http://127.0.0.1:{port}/metrics")
    with pytest.raises(MeterError, match="cannot read"):
        fetch.fetch("no-such-file.prom")


def test_what_a_machine_offers_is_told_with_what_it_lacks(server, tmp_path):
    offers = discover.discover(tmp_path, {server.server_port: "vLLM"})
    found = {o.what: o for o in offers}
    assert found[f"127.0.0.1:{server.server_port} (vLLM)"].found.format == "prometheus (vllm)"
    assert "absent or empty" in found["RAPL (powercap)"].reason
    said = discover.to_dict(offers)
    assert len(said["offers"]) + len(said["absent"]) == len(offers)
    assert "token_out" in said["offers"][-1]["kinds"]


def test_counters_of_the_kernel_are_found(tmp_path):
    zone = tmp_path / "sys/class/powercap/intel-rapl:0"
    zone.mkdir(parents=True)
    (zone / "name").write_text("package-0")
    (zone / "energy_uj").write_text("12")
    offer = next(o for o in discover.discover(tmp_path, {}) if o.what.startswith("RAPL"))
    assert offer.found is not None
    assert probe.probe(offer.target) == offer.found


def test_a_port_where_nothing_listens_is_absent():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    offers = discover.discover(Path("/nowhere"), {port: "x"})
    assert offers[-1].reason == "nothing listens"
