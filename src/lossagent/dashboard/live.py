"""One run as it goes on: read incrementally, folded again when there is something new."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from pathlib import Path
from typing import Literal

from lossagent.dashboard.alarms import Alarms
from lossagent.dashboard.curves import LossCurves
from lossagent.dashboard.lease import is_held
from lossagent.dashboard.people import Letterbox, awaited, panel_of, requests_of, unanswered
from lossagent.dashboard.pictures import names_in
from lossagent.dashboard.reading import EventLog
from lossagent.dashboard.settings import RunSettings
from lossagent.dashboard.states import Plain, States, conditions_of
from lossagent.errors import Refused
from lossagent.events import AnyEvent, Warned
from lossagent.letters import Letter
from lossagent.trajectory import Trajectory

Status = Literal["running", "waiting", "paused", "finished", "between", "stopped"]
WARNINGS = 20
RECENT = 120.0
"""Seconds since the last line after which a run counts as stopped where its lease cannot be looked at."""


class LiveRun:
    """A run folder that somebody may be writing.

    Everything here is safe to call from several threads; a look at unchanged files costs some calls of ``stat``.

    Args:
        id: what the pages call it.
        path: the run folder.
        folder: where it is, for people to read.
    """

    def __init__(self, run: str, path: Path, folder: str) -> None:
        self.id, self.path, self.folder = run, path, folder
        self.curves = LossCurves(path / "losses.jsonl")
        self._log = EventLog(path / "events.jsonl")
        self._settings = RunSettings(path)
        self._letters = Letterbox(path)
        self._alarms = Alarms(self._settings)
        self._states = States()
        self._trajectory: Trajectory | None = None
        self._warned: dict[str, None] = {}
        self._times: dict[int, float] = {}
        self._panel: Plain = {}
        self._broken = ""
        self._look = self._first_look = 0
        self._lock = threading.RLock()

    @property
    def settings(self) -> RunSettings:
        """What its experiment says."""
        return self._settings

    def look(self) -> Trajectory:
        """Reads what is new; the trajectory so far.

        Raises:
            Refused: the run has not started, or its log is beyond use.
        """
        with self._lock:
            renewed = self._settings.read()
            new, replaced = self._log.read()
            if replaced:
                self._states, self._warned, self._times, self._trajectory = States(), {}, {}, None
                self._first_look = 0
            for event in new:
                self._note(event)
            if new or renewed or replaced or self._trajectory is None:
                self._fold()
            if self._trajectory is None:
                reason = self._broken or "its events.jsonl holds no 'started' event yet."
                raise Refused(f"the run {self.folder} cannot be shown: {reason}")
            return self._trajectory

    def pending(self) -> tuple[tuple[str, Letter], ...]:
        """Letters that it has not read yet."""
        with self._lock:
            return self._letters.read(self.look().letters)

    def summary(self) -> Plain:
        """Everything of ``/api/run/ID`` with every state."""
        with self._lock:
            top = self._top()
            return {**top, "revision": self._revision(top), "changed": True, "states": self._states.since(-1)}

    def changes(self, revision: str) -> Plain:
        """The same with the states that changed since a revision."""
        with self._lock:
            top = self._top()
            now = self._revision(top)
            origin, _, rest = revision.partition(".")
            look = rest.partition(".")[0]
            known = origin == now.partition(".")[0] and look.isdecimal() and len(look) < 18
            # What changed before this process first looked is not known: then every state is sent.
            reset = not known or not self._first_look <= int(look) <= self._look
            states = self._states.since(-1 if reset else int(look))
            return {**top, "revision": now, "changed": revision != now, "reset": reset, "states": states}

    def _note(self, event: AnyEvent) -> None:
        if isinstance(event, Warned):
            self._warned[event.text] = None
        match event.kind:
            case "decided" | "trained" | "scored" | "asked":
                self._times[event.state] = event.time
            case _:
                pass

    def _fold(self) -> None:
        if not any(event.kind == "started" for event in self._log.events[:1000]):
            return
        try:
            trajectory = Trajectory.fold(self._log.events)
        except (ValueError, LookupError) as error:
            self._broken = (
                f"events.jsonl cannot be followed any more ({type(error).__name__}); earlier states are shown."
            )
            return
        self._broken = ""
        # Lines are counted, not looks, so that a revision means the same after a restart of this process.
        self._look = max(self._log.lines, self._look + 1)
        settings = self._settings
        self._states.update(
            trajectory,
            self._look,
            seed=settings.seed,
            tolerance=settings.tolerance,
            alarms=self._alarms.of(trajectory),
            times=self._times,
        )
        if self._trajectory is None:
            self._first_look = self._look
        if not self._panel or trajectory.panel != getattr(self._trajectory, "panel", None):
            self._panel = panel_of(trajectory.panel)
        self._trajectory = trajectory

    def _revision(self, top: Plain) -> str:
        """Whose log it is, how far it was read, and what else is shown."""
        origin = hashlib.sha256(self._log.first).hexdigest()[:12]
        shown = {key: value for key, value in top.items() if key != "modified"}
        digest = hashlib.sha256(json.dumps(shown, sort_keys=True, default=str).encode()).hexdigest()[:12]
        return f"{origin}.{self._look}.{digest}"

    def _top(self) -> Plain:
        trajectory, settings = self.look(), self._settings
        pending = self._letters.read(trajectory.letters)
        names = trajectory.initial.names
        still_open = unanswered(trajectory.panel, pending, settings.raters)
        finished = trajectory.finished
        inputs, references = names_in(self.path, "input"), names_in(self.path, "reference")
        return {
            "id": self.id,
            "name": settings.name,
            "folder": self.folder,
            "status": self._status(trajectory),
            "agent": settings.agent,
            "goal": settings.goal.model_dump(mode="json"),
            "losses": list(names),
            "anchor": settings.anchor(names),
            "metrics": self.metrics(),
            "initial": trajectory.initial.values(),
            "bounds": settings.bounds.model_dump(mode="json"),
            "head": trajectory.head_id,
            "selected": finished.selected if finished is not None else None,
            "rule": finished.rule if finished is not None else None,
            "images": self._images(trajectory) or sorted(inputs),
            "inputs": bool(inputs),
            "references": bool(references),
            "conditions": conditions_of(trajectory.states),
            "requests": requests_of(trajectory, pending),
            "paused": trajectory.paused is not None,
            "waiting": self._waiting(trajectory, still_open),
            "deadline": question.deadline if (question := awaited(trajectory.panel)) is not None else None,
            "open": still_open,
            "warnings": self._warnings(),
            "panel": self._panel,
            "stages": trajectory.stages,
            "seed": settings.seed,
            "modified": self.modified,
        }

    @property
    def modified(self) -> float:
        """When something was last written, seconds since the epoch."""
        return max(self._log.tail.modified, self.curves.modified)

    def _status(self, trajectory: Trajectory) -> Status:
        held = is_held(self.path / "lease")
        alive = held if held is not None else time.time() - self.modified < RECENT
        return status_of(
            waiting=awaited(trajectory.panel) is not None,
            finished=trajectory.finished is not None,
            paused=trajectory.paused is not None,
            alive=alive,
            by_calls=self._settings.by_calls,
        )

    def metrics(self) -> dict[str, Plain]:
        """name -> what is known of a metric, targets first."""
        trajectory = self.look()
        seen = dict.fromkeys(m for s in trajectory.states if s.feedback is not None for m in s.feedback.scores)
        roles = self._settings.roles(list(seen))
        return {name: self._settings.metric(name, role) for name, role in roles.items()}

    @staticmethod
    def _images(trajectory: Trajectory) -> list[str]:
        trained = [s.report.images for s in reversed(trajectory.states) if s.report is not None and s.report.images]
        return sorted(trained[0]) if trained else []

    @staticmethod
    def _waiting(trajectory: Trajectory, still_open: int) -> str | None:
        question = awaited(trajectory.panel)
        if question is None:
            return None
        about = f"S_{question.state}" if question.purpose == "feedback" else "the final pairs"
        if still_open:
            return f"The run waits for people: {still_open} of {len(question.tasks)} tasks about {about} are open."
        return f"Every task about {about} is answered; the run has to read the answers (start it again, if it ended)."

    def _warnings(self) -> list[str]:
        problems = [*self._log.problems, *self._settings.problems, *self.curves.problems, self._broken]
        return [*self._warned, *filter(None, problems)][-WARNINGS:]


def status_of(*, waiting: bool, finished: bool, paused: bool, alive: bool, by_calls: bool = False) -> Status:
    """One word on a run; between two calls of a loop nobody can say whether it is still at work."""
    if waiting:
        return "waiting"
    if finished:
        return "finished"
    if paused:
        return "paused"
    return "running" if alive else "between" if by_calls else "stopped"
