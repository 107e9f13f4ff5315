"""A run in a list of many: its progress and status, without parsing what a list does not show."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

from lossagent.dashboard.lease import is_held
from lossagent.dashboard.live import RECENT, status_of
from lossagent.dashboard.reading import Tail, section
from lossagent.dashboard.settings import RunSettings
from lossagent.dashboard.states import Plain

KIND = re.compile(rb'\{"time": ?[-+.0-9eE]+, ?"kind": ?"([a-z]+)"(?:, ?"state": ?(\d{1,9}))?')
"""How an event begins; one that begins otherwise is parsed."""
READ = frozenset({"started", "asked", "rated", "closed", "requested", "finished", "rewound", "retold"})
"""Kinds that are parsed: none of them holds scores or pictures."""


class Glance:
    """What ``/api/runs`` says of a run.

    Args:
        run: its id.
        path: the run folder.
        folder: where it is, for people to read.
    """

    def __init__(self, run: str, path: Path, folder: str) -> None:
        self.id, self.path, self.folder = run, path, folder
        self._settings = RunSettings(path, metrics=False)
        self._tail = Tail(path / "events.jsonl")
        self._forget()

    def _forget(self) -> None:
        self._scored: set[int] = set()
        self._stages: int | None = None
        self._selected: int | None = None
        self._finished = self._paused = False
        self._asked: dict[tuple[Any, Any], list[Any]] = {}
        self._answers: dict[Any, int] = {}

    def look(self) -> Plain:
        """Reads what is new; the run in the list."""
        self._settings.read()
        lines, replaced = self._tail.read()
        if replaced:
            self._forget()
        for line in lines:
            self._take(line)
        held = is_held(self.path / "lease")
        alive = held if held is not None else time.time() - self._tail.modified < RECENT
        waiting = bool(self._asked)
        wanted = self._settings.raters
        tasks = [task for several in self._asked.values() for task in several]
        return {
            "id": self.id,
            "name": self._settings.name,
            "folder": self.folder,
            "agent": self._settings.agent,
            "status": status_of(
                waiting=waiting,
                finished=self._finished,
                paused=self._paused,
                alive=alive,
                by_calls=self._settings.by_calls,
            ),
            "scored": len(self._scored - {0}),
            "stages": self._stages,
            "selected": self._selected,
            "modified": self._tail.modified or None,
            "open": sum(self._answers.get(task, 0) < wanted for task in tasks),
            "problem": None if self._stages is not None else "the run has not started yet",
        }

    def _take(self, line: bytes) -> None:
        match = KIND.match(line)
        kind = match[1].decode() if match else None
        if match and kind == "scored" and match[2]:
            self._scored.add(int(match[2]))
        elif kind is None or kind in READ:
            event = _parsed(line)
            if event.get("kind") == "scored" and isinstance(event.get("state"), int):
                self._scored.add(event["state"])
            self._hear(event)

    def _hear(self, event: dict[str, Any]) -> None:
        match event.get("kind"):
            case "started":
                self._stages = event["stages"] if isinstance(event.get("stages"), int) else None
            case "rewound" | "retold":
                self._finished = False
            case "finished":
                self._finished, self._selected = True, event.get("selected")
            case "asked":
                tasks = event.get("tasks")
                ids = [str(t.get("id")) for t in tasks if isinstance(t, dict)] if isinstance(tasks, list) else []
                self._asked[_question(event)] = ids
            case "closed":
                self._asked.pop(_question(event), None)
            case "rated":
                task = str(section(event, "judgement").get("task"))
                self._answers[task] = self._answers.get(task, 0) + 1
            case "requested":
                asked = section(event, "request").get("kind")
                self._paused = asked == "pause" if asked in ("pause", "go-on") else self._paused
            case _:
                pass


def _question(event: dict[str, Any]) -> tuple[str, str]:
    return str(event.get("state")), str(event.get("purpose", "feedback"))


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
