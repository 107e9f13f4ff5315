"""Assets at an address: streamed, taken up again where the connection broke, pinned, refused when wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from pathlib import Path

import pytest

from command_line import command
from lossagent import assets
from lossagent.assets import Asset, Url
from lossagent.errors import Damaged, MissingAsset
from web_server import Site, serving

CONTENT = b"PK" + bytes(range(256)) * 20_000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOSSAGENT_HOME", str(tmp_path / "home"))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "home" / "assets"


@pytest.fixture
def site() -> Generator[Site]:
    with serving(Site(CONTENT)) as running:
        yield running


def register(monkeypatch: pytest.MonkeyPatch, address: str, **changes: object) -> None:
    values = {
        "name": "toy",
        "what": "a toy",
        "source": Url(address, "http://127.0.0.1/page"),
        "licence": "CC0",
        "size": len(CONTENT),
        "file": "toy.pth",
        "sha256": DIGEST,
    }
    entry = Asset(**(values | changes))
    monkeypatch.setitem(assets.ASSETS, entry.name, entry)


UNKNOWN: dict[str, object] = {"size": None, "sha256": ""}


def test_a_file_is_streamed_through_a_redirect_and_checked(home, site, monkeypatch):
    register(monkeypatch, f"{site.address}/moved")
    told: list[tuple[str, int, int]] = []
    path = assets.fetch("toy", lambda *what: told.append(what))
    assert path.read_bytes() == CONTENT
    assert told[-1] == ("toy", len(CONTENT), len(CONTENT))
    assert len(told) >= 5  # chunk by chunk, never the whole in memory
    assert assets.verify("toy") == "ok"
    assert {p.name for p in home.iterdir()} <= {"toy.pth", ".toy.lock"}


def test_a_dropped_connection_is_taken_up_where_it_broke(home, site, monkeypatch):
    register(monkeypatch, f"{site.address}/file")
    site.drops = [1_500_000, 700_000]
    assert assets.fetch("toy").read_bytes() == CONTENT
    assert site.asked == ["", "bytes=1500000-", "bytes=2200000-"]


def test_a_server_that_starts_anew_is_followed(home, site, monkeypatch):
    register(monkeypatch, f"{site.address}/file")
    site.drops, site.ranges = [1_500_000], False
    assert assets.fetch("toy").read_bytes() == CONTENT


def test_a_connection_that_keeps_breaking_leaves_nothing(home, site, monkeypatch):
    register(monkeypatch, f"{site.address}/file")
    site.drops = [10_000] * 4
    with pytest.raises(MissingAsset, match="broke 4 times"):
        assets.fetch("toy")
    assert {p.name for p in home.iterdir()} <= {".toy.lock"}


def test_an_unknown_hash_is_pinned_by_the_first_file_and_held_to_it(home, site, monkeypatch):
    register(monkeypatch, f"{site.address}/file", **UNKNOWN)
    outcome = command("assets", "fetch", "toy")
    assert outcome.status == 0
    assert f"pinned sha256 {DIGEST}" in outcome.out
    assert "size not published" in outcome.out
    assert (home / "toy.pth.sha256").read_text().startswith(f"{DIGEST}  toy.pth\n")
    assert assets.verify("toy") == "ok"
    (home / "toy.pth").write_bytes(CONTENT[:-1])
    with pytest.raises(Damaged, match="as when it first came"):
        assets.locate("toy")  # the size was pinned too: no hashing needed
    site.content = b"PK another release"
    with pytest.raises(Damaged, match=r"toy\.pth\.sha256 to accept"):
        assets.fetch("toy")


def test_a_file_copied_by_hand_is_unchecked_until_a_fetch_pins_it(home, site, monkeypatch):
    register(monkeypatch, f"{site.address}/file", **UNKNOWN)
    home.mkdir(parents=True)
    (home / "toy.pth").write_bytes(CONTENT)
    assert assets.locate("toy") == home / "toy.pth"
    assert assets.verify("toy") == "unchecked"
    assets.fetch("toy")
    assert assets.verify("toy") == "ok"
    assert site.asked == []


@pytest.mark.parametrize(("content", "kind"), [(b"<!doctype html>", "application/octet-stream"), (b"PK", "text/html")])
def test_a_web_page_is_never_pinned(home, site, monkeypatch, content, kind):
    register(monkeypatch, f"{site.address}/file", **UNKNOWN)
    site.content, site.type = content, kind
    with pytest.raises((Damaged, MissingAsset), match=r"no file of torch|a web page"):
        assets.fetch("toy")
    assert {p.name for p in home.iterdir()} <= {".toy.lock"}


def test_another_hash_is_refused(home, site, monkeypatch):
    register(monkeypatch, f"{site.address}/file", sha256="0" * 64)
    with pytest.raises(Damaged, match="not 0000"):
        assets.fetch("toy")
    assert not (home / "toy.pth").exists()


def test_an_answer_other_than_success_says_which_file_goes_where(home, site, monkeypatch):
    register(monkeypatch, f"{site.address}/gone.ckpt")
    with pytest.raises(MissingAsset, match="404 Not Found") as caught:
        assets.fetch("toy")
    for part in (f"{site.address}/gone.ckpt, there called gone.ckpt", "http://127.0.0.1/page", str(home / "toy.pth")):
        assert part in str(caught.value)


def test_no_network_says_which_file_goes_where(home, monkeypatch):
    register(monkeypatch, "http://127.0.0.1:9/file")
    outcome = command("assets", "fetch", "toy")
    assert outcome.status == 2
    assert "put the file toy.pth (http://127.0.0.1:9/file, there called file; described at" in outcome.err
    assert str(home / "toy.pth") in outcome.err


def test_an_interrupted_download_leaves_nothing(home, site, monkeypatch):
    register(monkeypatch, f"{site.address}/file")

    def stop(what: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        assets.fetch("toy", stop)
    assert {p.name for p in home.iterdir()} <= {".toy.lock"}


def test_the_list_says_how_much_of_a_hash_is_known(home):
    outcome = command("assets", "list")
    assert outcome.status == 0
    lines = {line.split()[0]: line for line in outcome.out.splitlines() if line.strip()}
    assert "published" in lines["swinir-m-classical-x4"]
    assert "unknown" in lines["realesrgan-x4plus-netd"]
    assert "by prefix" in lines["vgg19"]
