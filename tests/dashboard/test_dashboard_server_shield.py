"""Who may ask what: hosts, passwords, other sites, paths, sizes, ports."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from served_run import make
from starlette.testclient import TestClient

from lossagent.commands.dashboard import password_of
from lossagent.dashboard import auth
from lossagent.dashboard.app import application
from lossagent.dashboard.auth import Gate
from lossagent.dashboard.serving import background, bind, checked, serve
from lossagent.dashboard.shield import POLICY
from lossagent.errors import Refused

HERE = "http://127.0.0.1:8765"
PAUSE = {"kind": "pause", "author": "Ann"}
ME = {"X-Lossagent": "1"}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make(tmp_path / "run", states=1, images=2)


@pytest.fixture
def client(run: Path) -> Iterator[TestClient]:
    with TestClient(application(run), base_url=HERE, follow_redirects=False) as made:
        yield made


@pytest.fixture
def locked(run: Path) -> Iterator[TestClient]:
    app = application(run, "open sesame é")
    with TestClient(app, base_url="http://example.org", follow_redirects=False) as made:
        yield made


def letters(client: TestClient) -> str:
    return f"/api/run/{client.get('/api/runs').json()[0]['id']}/letters"


# -- headers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/api/runs", "/api/run/none", "/nothing", "/static/style.css", "/login"])
def test_every_answer_carries_the_policy(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.headers["content-security-policy"] == POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert "cache-control" in answer.headers
    assert "unsafe" not in POLICY


# -- hosts ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8765",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "",
        "[::1",
        "a@127.0.0.1",
        "169.254.1.1",
    ],
)
def test_foreign_host_names_are_refused(client: TestClient, host: str) -> None:
    for path in ("/", "/api/runs", "/static/style.css"):
        assert client.get(path, headers={"host": host}).status_code == 403


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1", "127.8.9.1:80", "[::1]:8765"])
def test_loopback_names_are_served(client: TestClient, host: str) -> None:
    assert client.get("/api/runs", headers={"host": host}).status_code == 200


# -- other sites ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Lossagent": "2"},
        {**ME, "Origin": "http://evil.example"},
        {**ME, "Origin": "null"},
        {**ME, "Origin": "http://127.0.0.1:9999"},
        {**ME, "Sec-Fetch-Site": "cross-site"},
        {**ME, "Sec-Fetch-Site": "same-site"},
    ],
)
def test_letters_from_other_sites_are_refused(client: TestClient, run: Path, headers: dict[str, str]) -> None:
    answer = client.post(letters(client), json=PAUSE, headers=headers)
    assert answer.status_code == 403
    assert list((run / "mailbox").iterdir()) == []


def test_letters_from_our_own_page_are_taken(client: TestClient) -> None:
    headers = {**ME, "Origin": HERE, "Sec-Fetch-Site": "same-origin"}
    assert client.post(letters(client), json=PAUSE, headers=headers).status_code == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_letters_are_json(client: TestClient, kind: str) -> None:
    headers = {**ME, "Content-Type": kind}
    assert client.post(letters(client), content=b'{"kind":"pause","author":"A"}', headers=headers).status_code == 415


@pytest.mark.parametrize(
    "body", [b"", b"{", b"NaN", b'{"kind":"undo","author":"A","state":1e999}', b"[" * 30000, b"\xff\xfe", b"9" * 6000]
)
def test_odd_bodies_are_refused(client: TestClient, run: Path, body: bytes) -> None:
    headers = {**ME, "Content-Type": "application/json"}
    answer = client.post(letters(client), content=body, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert list((run / "mailbox").iterdir()) == []


def test_large_bodies_are_refused_with_and_without_a_length(client: TestClient) -> None:
    headers = {**ME, "Content-Type": "application/json"}
    body = b'{"kind":"pause","author":"A"}' + b" " * 70_000
    assert client.post(letters(client), content=body, headers=headers).status_code == 413
    chunks = iter([body[:40_000], body[40_000:]])
    assert client.post(letters(client), content=chunks, headers=headers).status_code == 413


def test_other_methods_are_refused(client: TestClient) -> None:
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS"):
        assert client.request(method, "/api/runs", headers=ME).status_code == 405
        assert client.request(method, "/api/runs").status_code == 403


# -- paths ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "../experiment.yaml", "image/../../experiment.yaml", "image/%2e%2e/experiment.yaml.png",
        "image/..%2f..%2fsecret/a.png", "image/state-0000/..%2f..%2fevents.jsonl", "image/state-0000/%2e%2e.png",
        "image/checkpoints/a.png", "image//etc/passwd", "image/input/%00.png", "image/link/secret.png",
        "image/state-0000/link.png", "image/state-0000/pipe.png", "image/state-0000/folder.png",
        "image/state-0000/.hidden.png", "image/input%5c..%5c..%5csecret/a.png", "image/" + "a" * 5000 + "/b.png",
    ],
)  # fmt: skip
def test_nothing_but_pictures_of_runs_is_served(tmp_path: Path, run: Path, path: str) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    png = next((run / "images" / "state-0000").iterdir()).read_bytes()
    for place in (secret / "a.png", secret / "secret.png", run / "images" / "state-0000" / ".hidden.png"):
        place.write_bytes(png)
    (run / "checkpoints" / "a.png").write_bytes(png)
    (run / "images" / "link").symlink_to(secret)
    (run / "images" / "state-0000" / "link.png").symlink_to(secret / "a.png")
    os.mkfifo(run / "images" / "state-0000" / "pipe.png")
    (run / "images" / "state-0000" / "folder.png").mkdir()
    with background(run) as url:
        name = httpx.get(f"{url}api/runs").json()[0]["id"]
        answer = raw(url, f"/api/run/{name}/{path}")
        assert b" 404 " in answer.split(b"\r\n")[0]
        assert b"PNG" not in answer
        assert b"wish" not in answer


def raw(url: str, path: str) -> bytes:
    """The answer to a path that no client has tidied."""
    host, port = url.removeprefix("http://").rstrip("/").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as one:
        one.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        parts = []
        while part := one.recv(65536):
            parts.append(part)
    return b"".join(parts)


@pytest.mark.parametrize("name", ["..", ".", "%2e%2e", "a" * 3000, "-", "run/../../etc", "%00"])
def test_ids_are_no_paths(client: TestClient, name: str) -> None:
    assert client.get(f"/api/run/{name}").status_code in (400, 404)


# -- password ---------------------------------------------------------------------------------------------


def test_without_a_session_nothing_is_shown(locked: TestClient) -> None:
    assert locked.get("/").status_code == 303
    assert locked.get("/").headers["location"] == "/login"
    for path in ("/api/runs", "/api/run/x", "/api/run/x/image/input/a.png", "/api/session"):
        answer = locked.get(path)
        assert answer.status_code == 401
        assert answer.json()["error"]
    assert locked.get("/static/main.js").status_code == 303
    assert locked.post("/api/run/x/letters", json=PAUSE, headers=ME).status_code == 401
    page = locked.get("/login")
    assert page.status_code == 200
    assert 'type="password"' in page.text
    assert "<script" not in page.text


def test_logging_in_and_out(locked: TestClient) -> None:
    answer = locked.post("/login", data={"password": "open sesame é"}, headers={"Origin": "http://example.org"})
    assert answer.status_code == 303
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert locked.get("/api/runs").status_code == 200
    assert locked.get("/api/session").json() == {"password": True}
    assert locked.get("/").status_code == 200
    kept = dict(locked.cookies)
    assert locked.post("/logout", headers=ME).status_code == 200
    locked.cookies.update(kept)
    assert locked.get("/api/runs").status_code == 401


def test_a_session_ends_with_the_process(run: Path, locked: TestClient) -> None:
    locked.post("/login", data={"password": "open sesame é"})
    value = next(iter(dict(locked.cookies).values()))
    other = application(run, "open sesame é")
    with TestClient(other, base_url="http://example.org", cookies={other.gate.cookie: value}) as client:
        assert client.get("/api/runs").status_code == 401


@pytest.mark.parametrize("body", ["password=", "", "password=wrong", "x=1", "&" * 500, "password=open+sesame+e", "%ff"])
def test_wrong_passwords(locked: TestClient, body: str) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = locked.post("/login", content=body.encode(), headers=headers)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers
    assert locked.get("/api/runs").status_code == 401


def test_tries_are_limited(locked: TestClient) -> None:
    for _ in range(auth.TRIES):
        assert locked.post("/login", data={"password": "wrong"}).status_code == 403
    answer = locked.post("/login", data={"password": "open sesame é"})
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= auth.WINDOW


def test_tries_are_limited_over_all_addresses_and_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(auth.time, "monotonic", lambda: now[0])
    gate = Gate("right")
    for i in range(auth.ALL_TRIES):
        assert gate.enter(f"10.0.0.{i}", "wrong") is None
    assert gate.wait("10.0.1.1") > 0
    now[0] += auth.WINDOW + 1
    assert gate.wait("10.0.1.1") == 0
    assert gate.enter("10.0.0.1", "right") is not None


def test_another_site_cannot_log_somebody_in(locked: TestClient) -> None:
    answer = locked.post("/login", data={"password": "open sesame é"}, headers={"Origin": "http://evil.example"})
    assert answer.status_code == 403


# -- addresses --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["0.0.0.0", "", "::"])
def test_other_addresses_are_refused_without_a_password(run: Path, host: str) -> None:
    said: list[str] = []
    with pytest.raises(Refused, match="--password-env"):
        serve(run, host, 0, None, said.append)
    assert said == []


def test_an_empty_password_is_refused(run: Path) -> None:
    for password in ("", "  "):
        with pytest.raises(Refused, match="empty"):
            serve(run, "0.0.0.0", 0, password, print)
    assert checked(None) is None


def test_another_address_is_served_behind_a_password() -> None:
    with bind("0.0.0.0", 0, "password") as opened:
        assert opened.getsockname()[1] > 0


def test_a_port_in_use_is_refused_with_advice() -> None:
    with bind("127.0.0.1", 0, None) as opened:
        port = opened.getsockname()[1]
        with pytest.raises(Refused, match=rf"port {port} of 127.0.0.1 is taken.*--port"):
            bind("127.0.0.1", port, None)


def test_a_host_that_is_none_is_refused() -> None:
    with pytest.raises(Refused, match="no address of this machine"):
        bind("no.such.host.invalid", 0, "password")
    with pytest.raises(Refused, match="cannot be listened on"):
        bind("192.0.2.1", 0, "password")


def test_where_passwords_come_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "password"
    file.write_text("from a file \r\nand more\n")
    monkeypatch.setenv("DASHBOARD_WORD", "from the environment")
    monkeypatch.setenv("EMPTY_WORD", "")
    assert password_of(None, None) is None
    assert password_of("DASHBOARD_WORD", None) == "from the environment"
    assert password_of(None, file) == "from a file "
    (tmp_path / "empty").write_text("\nx")
    for variable, path in (
        ("EMPTY_WORD", None), ("UNSET_WORD", None), (None, tmp_path / "none"), (None, tmp_path / "empty"),
        ("DASHBOARD_WORD", file),
    ):  # fmt: skip
        with pytest.raises(Refused, match="--password"):
            password_of(variable, path)


@pytest.mark.slow
def test_the_command_prints_its_address_and_ends_on_ctrl_c(run: Path) -> None:
    code = (
        "import typer; from lossagent.commands.dashboard import dashboard;"
        "app = typer.Typer(); app.command()(dashboard); app()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(run), "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        line = process.stdout.readline()
        url = next(word for word in line.split() if word.startswith("http://127.0.0.1:"))
        assert httpx.get(f"{url}api/runs").status_code == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert process.stderr.read() == ""
