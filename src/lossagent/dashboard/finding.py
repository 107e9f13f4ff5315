"""Which runs there are under a folder, and what the pages call them."""

from __future__ import annotations

import hashlib
import os
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

from lossagent.dashboard.errors import NoSuch
from lossagent.dashboard.glance import Glance
from lossagent.dashboard.live import LiveRun
from lossagent.dashboard.states import Plain
from lossagent.errors import Refused
from lossagent.runs import is_run

DEEPEST = 4
"""Folders between the one that was asked for and a run."""
MOST = 2000
"""Runs that are listed."""
OPEN = 8
"""Runs that are kept in memory with all their states."""
FRESH = 2.0
"""Seconds for which a list of folders is not looked for again."""


class Runs:
    """The runs under a folder, or the one that it is.

    Args:
        root: a run folder, or one that holds them.

    Raises:
        Refused: there is no such folder.
    """

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise Refused(f"{root} is no folder. Give a run folder, or one that holds run folders.")
        self.root = root.resolve()
        self._glances: dict[str, Glance] = {}
        self._open: OrderedDict[str, LiveRun] = OrderedDict()
        self._looked = -FRESH
        self._lock, self._listing = threading.Lock(), threading.Lock()

    def all(self) -> list[Plain]:
        """Every run, the newest first."""
        with self._lock:
            self._find()
            glances = list(self._glances.values())
        with self._listing:
            return sorted((glance.look() for glance in glances), key=lambda run: -(run["modified"] or 0.0))

    def run(self, name: str) -> LiveRun:
        """A run by its id.

        Raises:
            NoSuch: there is none of that id (any more).
        """
        with self._lock:
            if name not in self._glances:
                self._find()
            glance = self._glances.get(name)
            if glance is None or not is_run(glance.path):
                raise NoSuch(f"there is no run {name[:80]!r}.")
            live = self._open.pop(name, None) or LiveRun(name, glance.path, glance.folder)
            self._open[name] = live
            while len(self._open) > OPEN:
                self._open.popitem(last=False)
            return live

    def _find(self) -> None:
        if time.monotonic() - self._looked < FRESH:
            return
        found = {run_id(self.root, path): path for path in _runs(self.root, DEEPEST)}
        self._glances = {
            name: self._glances.get(name) or Glance(name, path, _folder(self.root, path))
            for name, path in found.items()
        }
        self._looked = time.monotonic()


def run_id(root: Path, path: Path) -> str:
    """An url-safe name that stays the same while the run stays where it is."""
    place = _folder(root, path)
    slug = re.sub(r"[^A-Za-z0-9]+", "-", path.name).strip("-")[:40]
    return f"{slug}-{hashlib.sha256(place.encode(errors='surrogateescape')).hexdigest()[:10]}".strip("-")


def _folder(root: Path, path: Path) -> str:
    """Where a run is, seen from the folder that was asked for."""
    return path.name if path == root else path.relative_to(root).as_posix()


def _runs(root: Path, depth: int) -> Iterator[Path]:
    """Run folders, found without following links; a run is not looked into."""
    level, found = [root], 0
    for _ in range(depth):
        inner: list[Path] = []
        for folder in level:
            if is_run(folder):
                yield folder
                found += 1
                if found >= MOST:
                    return
            else:
                inner += _folders(folder)
        level = inner


def _folders(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            kept = [e.path for e in entries if e.is_dir(follow_symlinks=False) and not e.name.startswith(".")]
    except OSError:
        return []
    return [Path(path) for path in sorted(kept)]
