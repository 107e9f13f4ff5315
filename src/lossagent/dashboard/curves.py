"""Raw losses over the iterations of a stage, out of a log of any length."""

from __future__ import annotations

import json
import math
import os
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lossagent.dashboard.reading import Tail
from lossagent.dashboard.states import Plain

AVERAGED = 8
"""Lines read for each point: a thousand stages are thinned without parsing every line of them."""
START = re.compile(rb'\{"state": ?(\d{1,9}), ?"iteration": ?(\d{1,12}),')
"""How a line begins; one that begins otherwise is parsed."""
Line = Mapping[str, Any]


class LossCurves:
    """``losses.jsonl`` with the places of its lines.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._tail = Tail(path)
        self._lines: dict[int, list[tuple[int, int]]] = {}
        self._bad = 0
        self._lock = threading.Lock()

    @property
    def modified(self) -> float:
        """When the log was last written, seconds since the epoch; 0.0 where there is none."""
        try:
            return self.path.stat().st_mtime
        except OSError:
            return 0.0

    @property
    def problems(self) -> list[str]:
        """What could not be read, as far as anybody has looked."""
        return [f"{self.path.name} holds {self._bad} unreadable line(s); left out."] if self._bad else []

    def points(self, state: int | None, points: int) -> Plain:
        """Means of neighbouring lines, at most so many.

        Args:
            state: of the stage that leads to it; ``None`` for all, in the order of training.
            points: how many, >= 1.

        Returns:
            Lists of one length: ``state``, ``iteration``, ``total``, ``lr``, and by name ``raw`` and ``discriminator``.
        """
        with self._lock:
            self._read()
            places = self._lines.get(state, []) if state is not None else [p for s in self._lines.values() for p in s]
        groups = [list(self._parsed(chunk)) for chunk in _chunks(places, points)]
        return _columns([group for group in groups if group])

    def _read(self) -> None:
        before = self._tail.offset
        lines, replaced = self._tail.read()
        if replaced:
            self._lines, self._bad, before = {}, 0, 0
        for line in lines:
            state = _state_of(line)
            if state is None:
                self._bad += bool(line.strip())
            else:
                self._lines.setdefault(state, []).append((before, len(line)))
            before += len(line) + 1

    def _parsed(self, places: Sequence[tuple[int, int]]) -> Iterator[Line]:
        try:
            with self.path.open("rb") as file:
                for start, length in places:
                    line = _parsed(os.pread(file.fileno(), length, start))
                    if line is not None:
                        yield line
        except OSError:
            return


def _state_of(line: bytes) -> int | None:
    if match := START.match(line):
        return int(match[1])
    found = _parsed(line)
    return found["state"] if found is not None else None


def _parsed(line: bytes) -> Line | None:
    """A line of the log; ``None`` for what is none, such as one that was replaced meanwhile."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or not all(type(value.get(k)) is int for k in ("state", "iteration")):
        return None
    return value


def _chunks(places: Sequence[tuple[int, int]], points: int) -> Iterator[Sequence[tuple[int, int]]]:
    """Neighbours that make one point, evenly spread where there are many."""
    count = min(points, len(places))
    for k in range(count):
        chunk = places[k * len(places) // count : (k + 1) * len(places) // count]
        step = math.ceil(len(chunk) / AVERAGED)
        yield chunk[::step]


def _columns(groups: Sequence[Sequence[Line]]) -> Plain:
    def named(key: str) -> dict[str, list[float | None]]:
        parts = [line.get(key) for group in groups for line in group]
        names = dict.fromkeys(str(n) for part in parts if isinstance(part, dict) for n in part)
        return {n: [_mean([_inside(line, key, n) for line in group]) for group in groups] for n in names}

    return {
        "state": [group[len(group) // 2]["state"] for group in groups],
        "iteration": [group[len(group) // 2]["iteration"] for group in groups],
        "raw": named("raw"),
        "discriminator": named("discriminator"),
        "total": [_mean([line.get("total") for line in group]) for group in groups],
        "lr": [_mean([line.get("lr") for line in group]) for group in groups],
    }


def _inside(line: Line, key: str, name: str) -> Any:  # noqa: ANN401  (plain JSON data)
    part = line.get(key)
    return part.get(name) if isinstance(part, dict) else None


def _mean(values: Sequence[Any]) -> float | None:
    known = [float(v) for v in values if isinstance(v, int | float) and math.isfinite(v)]
    return sum(known) / len(known) if known else None
