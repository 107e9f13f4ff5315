"""What is on this machine, and whether it is whole."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lossagent.assets.kinds import Asset
from lossagent.assets.table import ASSETS, asset
from lossagent.errors import Damaged, MissingAsset

DOWNLOAD_SLACK = 2048
"""Bytes by which a download may differ from its size in the table, which torchvision gives rounded."""


State = Literal["ok", "unchecked", "missing", "damaged"]
"""``ok``: here, its hash checked. ``unchecked``: here, of the right size where one is known, its hash not compared."""


@dataclass(frozen=True)
class Status:
    """How an asset stands on this machine.

    Attributes:
        asset: which.
        path: where it is, or where it belongs.
        state: how it stands.
        detail: a remark, e.g. what is wrong.
    """

    asset: Asset
    path: Path
    state: State
    detail: str = ""


def cache() -> Path:
    """Where assets live: ``$LOSSAGENT_HOME/assets``, else ``~/.cache/lossagent/assets``."""
    home = os.environ.get("LOSSAGENT_HOME")
    return (Path(home).expanduser() if home else Path.home() / ".cache" / "lossagent") / "assets"


def locate(name: str, *, check: bool = False) -> Path:
    """Path of an asset on this machine.

    Args:
        name: which.
        check: hash the file too (about half a second for each 100 MB); else its size alone is compared.

    Raises:
        UnknownName: no such asset.
        MissingAsset: it is not here; the message says how it gets here, with and without a network.
        Damaged: its size or hash is another one.
    """
    found = status(asset(name), check)
    if found.state == "missing":
        raise MissingAsset(missing(found.asset))
    if found.state == "damaged":
        raise Damaged(f"{found.path}: {found.detail}. Delete it and run: lossagent assets fetch {name}")
    return found.path


def verify(name: str) -> State:
    """Hashes an asset: ``ok``, ``missing``, ``damaged``, or ``unchecked`` where no hash is known.

    Raises:
        UnknownName: no such asset.
    """
    return status(asset(name), hashed=True).state


def status_table(*, hashed: bool = False) -> tuple[Status, ...]:
    """Every asset, in the order of the table.

    Args:
        hashed: hash those that are here, which takes seconds; else sizes are compared.
    """
    return tuple(status(entry, hashed) for entry in ASSETS.values())


def sha256(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def status(entry: Asset, hashed: bool) -> Status:
    """How an entry stands; ``hashed`` reads the whole file."""
    path = cache() / entry.file
    if not path.is_file():
        return Status(entry, path, "missing", f"lossagent assets fetch {entry.name}")
    if wrong := difference(entry, path.stat().st_size, sha256(path) if hashed else None):
        return Status(entry, path, "damaged", wrong)
    if not known_digest(entry):
        return Status(entry, path, "unchecked", f"no hash is known; lossagent assets fetch {entry.name} pins this one")
    origin = "" if len(entry.sha256) == 64 else f"held to {pin(entry).name}" if pin(entry).is_file() else ""
    return Status(entry, path, "ok" if hashed else "unchecked", origin)


def difference(entry: Asset, size: int, digest: str | None) -> str:
    """What is wrong with a file, "" if nothing."""
    expected_size, expected = known_size(entry), known_digest(entry)
    slack = DOWNLOAD_SLACK if entry.kind == "download" else 0
    pinned = len(entry.sha256) < 64 and pin(entry).is_file()
    remark = f" as when it first came (delete {pin(entry)} to accept another one)" if pinned else ""
    if expected_size is not None and abs(size - expected_size) > slack:
        return f"its size is {size} bytes, not {expected_size}{remark}"
    if digest is not None and not digest.startswith(expected):
        return f"its sha256 is {digest}, not {expected}{'' if len(expected) == 64 else '...'}{remark}"
    return ""


def known_size(entry: Asset) -> int | None:
    """Bytes of an asset as stated in the table, else as pinned; ``None`` where neither is known."""
    return entry.size if entry.size is not None else _pinned(entry)[1]


def known_digest(entry: Asset) -> str:
    """The SHA-256 of an asset, or its first digits, as stated in the table or pinned; "" where neither is known."""
    return entry.sha256 if len(entry.sha256) == 64 else _pinned(entry)[0] or entry.sha256


def pin(entry: Asset) -> Path:
    """Where the whole hash is kept of an asset of which not all digits are known beforehand."""
    return cache() / f"{entry.file}.sha256"


def pin_text(entry: Asset, digest: str, size: int) -> str:
    """What a pin holds: a line that ``sha256sum -c`` checks, and the size."""
    return f"{digest}  {entry.file}\n# {size} bytes\n"


def _pinned(entry: Asset) -> tuple[str, int | None]:
    path = pin(entry)
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    digest, size = re.match(r"[0-9a-f]{64}\b", text), re.search(r"^# (\d+) bytes$", text, re.MULTILINE)
    return digest.group() if digest else "", int(size.group(1)) if size else None


def missing(entry: Asset) -> str:
    """How an asset gets to this machine, with and without a network."""
    return (
        f"asset {entry.name!r} ({entry.what}; {entry.megabytes}, licence: {entry.licence}) "
        f"is not on this machine. Run: lossagent assets fetch {entry.name}. Without a network, put the file "
        f"{entry.file} ({entry.origin}) into {cache()}, as {cache() / entry.file}."
    )
