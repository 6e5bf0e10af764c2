"""Who may ask a server, and what it refuses."""

from __future__ import annotations

import json

import pytest

from reporting import small_ledger
from serving_pages import ask, asked, serving
from tree6g.errors import MeterError
from tree6g.meter.access import Access, host_allowed, is_loopback
from tree6g.serve.guard import Keeper

TOKEN = "0123456789abcdef-secret"


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    return small_ledger(tmp_path_factory.mktemp("guard") / "ledger").path


@pytest.fixture(scope="module")
def open_server(ledger):
    with serving(ledger) as server:
        yield server


@pytest.fixture(scope="module")
def guarded(ledger):
    with serving(ledger, token=TOKEN) as server:
        yield server


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "meter.example.org"])
def test_an_address_that_others_reach_needs_a_token_and_tls(host, tmp_path):
    with pytest.raises(MeterError, match=r"--token"):
        Access(host=host)
    with pytest.raises(MeterError, match=r"--certificate"):
        Access(host=host, token=TOKEN)
    Access(host=host, token=TOKEN, plain_http=True)
    Access(host=host, token=TOKEN, certificate=tmp_path / "c.pem")


def test_a_token_that_is_guessed_soon_is_refused():
    with pytest.raises(MeterError, match="at least 16"):
        Access(token="secret")
    with pytest.raises(MeterError, match="--certificate"):
        Access(key="key.pem")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_this_machine_alone_needs_neither(host):
    assert is_loopback(host)
    Access(host=host)


@pytest.mark.parametrize(
    ("header", "allowed"),
    [
        ("localhost:8460", True), ("127.0.0.1", True), ("[::1]:8460", True), ("LOCALHOST", True),
        ("10.0.0.5:80", True), ("tree.example.org", True), ("", False), (None, False),
        ("evil.example", False), ("127.0.0.1.evil.example", False), ("10.0.0.6", False),
        ("[::1", False), ("[::1]x", False), ("localhost:80:80", False), ("local host", False),
    ],
)  # fmt: skip
def test_only_our_own_host_names_are_answered(header, allowed):
    assert host_allowed(header, "10.0.0.5", ["tree.example.org"]) is allowed


def test_a_name_that_was_pointed_here_gets_nothing(open_server):
    status, _, body = ask(open_server, "/api/windows", headers={"Host": "evil.example"})
    assert status == 421
    assert b"beq" not in body


def test_without_the_token_nothing_is_told(guarded):
    for path in ("/", "/page.js", "/api/windows", "/api/ledger", "/metrics", "/nothing"):
        status, headers, body = ask(guarded, path)
        assert (status, headers["WWW-Authenticate"]) == (401, "Bearer"), path
        assert b"tree_" not in body
    for wrong in (f"Bearer {TOKEN}x", f"Basic {TOKEN}", "Bearer", "Bearer \xff"):
        assert ask(guarded, "/metrics", headers={"Authorization": wrong})[0] == 401
    assert ask(guarded, "/metrics", headers={"Cookie": f"tree6g={TOKEN}"})[0] == 401


def test_the_token_opens_by_header(guarded):
    status, _, body = ask(guarded, "/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert status == 200
    assert b"tree_energy_joules_total" in body


def test_the_token_in_an_address_becomes_a_cookie_that_no_script_reads(guarded):
    assert ask(guarded, "/api/windows?token=" + TOKEN)[0] == 401
    assert ask(guarded, "/?token=wrong-wrong-wrong-wrong")[0] == 401
    status, headers, body = ask(guarded, f"/?token={TOKEN}&span_s=60")
    assert (status, headers["Location"], body) == (303, "/?span_s=60", b"")
    cookie = headers["Set-Cookie"]
    assert TOKEN not in cookie
    assert cookie.endswith("; Path=/; HttpOnly; SameSite=Strict")
    value = cookie.partition(";")[0]
    assert ask(guarded, "/api/ledger", headers={"Cookie": value})[0] == 200
    assert ask(guarded, "/api/ledger", headers={"Cookie": value[:-1] + "x"})[0] == 401


def test_a_cookie_ends_with_its_server():
    one, other = Keeper(TOKEN), Keeper(TOKEN)
    cookie = one.cookie(secure=True)
    assert cookie.endswith("; Secure")
    assert one.lets_in(None, cookie)
    assert not other.lets_in(None, cookie)


@pytest.mark.parametrize(
    "path",
    [
        "/../../../../etc/passwd", "/..%2f..%2fetc%2fpasswd", "/%2e%2e/server.py", "//etc/passwd",
        "/page.js/../server.py", "/page.js%00.html", "/files/index.html", "/api/../meta.json",
        "/C:\\windows", "/http://x/", "//[::1/x", "/api/windows/",
    ],
)  # fmt: skip
def test_no_path_leads_out_of_what_is_served(open_server, path):
    status, _, body = ask(open_server, path)
    assert status in {400, 404}
    assert b"root:" not in body
    assert b"import" not in body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_nothing_can_be_written(open_server, method):
    status, headers, _ = ask(open_server, "/api/windows", method=method)
    assert (status, headers["Allow"]) == (405, "GET, HEAD")


def test_a_body_or_an_endless_address_is_refused(open_server):
    assert ask(open_server, "/", headers={"Content-Length": "5"})[0] == 400
    assert ask(open_server, "/" + "x" * 9000)[0] == 414
    assert ask(open_server, "/" + "x" * 70_000)[0] == 414


@pytest.mark.parametrize("path", ["/", "/page.js", "/api/windows", "/metrics", "/nothing"])
def test_every_answer_keeps_the_browser_on_a_short_lead(open_server, path):
    _, headers, _ = ask(open_server, path)
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert "Access-Control-Allow-Origin" not in headers
    assert ask(open_server, path, method="HEAD")[2] == b""


def test_the_page_asks_no_other_host_and_holds_no_script_of_its_own(open_server):
    page = ask(open_server, "/")[2].decode()
    code = ask(open_server, "/page.js")[2].decode()
    assert "<style" not in page
    assert page.count("<script") == 1
    assert 'style="' not in page
    for text in (page, code.replace("http://www.w3.org/2000/svg", "")):
        assert "http:" not in text
        assert "https:" not in text
    assert "innerHTML" not in code
    assert "eval(" not in code


def test_a_taken_port_is_said_in_plain_words(open_server, ledger):
    port = open_server.server_address[1]
    from tree6g.serve.server import server_of
    from tree6g.serve.view import View

    with (
        pytest.raises(MeterError, match="--port"),
        server_of(ledger, Access(port=port), View(), {}),
    ):
        pass


def test_a_file_that_is_no_certificate_is_said_in_plain_words(ledger, tmp_path):
    from tree6g.serve.server import server_of
    from tree6g.serve.view import View

    bad = tmp_path / "bad.pem"
    bad.write_text("not a certificate")
    access = Access(port=0, certificate=bad)
    with pytest.raises(MeterError, match="PEM"), server_of(ledger, access, View(), {}):
        pass


def test_a_floor_of_no_service_is_refused(ledger):
    from tree6g.errors import LedgerError

    with pytest.raises(LedgerError, match="assistant"), serving(ledger, floors={"asistant": 1.0}):
        pass


def test_a_hostile_name_reaches_the_page_as_data_alone(tmp_path):
    from reporting import NAME

    path = small_ledger(tmp_path / "ledger", NAME).path
    with serving(path) as server:
        data = asked(server, "/api/windows")
        assert data["services"][0]["name"] == NAME
        _, headers, body = ask(server, "/api/windows")
        assert headers["Content-Type"].startswith("application/json")
        assert json.loads(body)
        assert NAME.encode() not in ask(server, "/")[2]
