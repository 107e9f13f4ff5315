"""Reads from a trajectory and its run folder what trackers are told."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lossagent.records import State
from lossagent.tracking.base import Moment, Row
from lossagent.trajectory import Trajectory

PICTURES = 4
"""Restored images of each state that are mirrored."""


@dataclass
class Teller:
    """Tells of the states of one run; each look reads what is new.

    Args:
        folder: the run folder.
    """

    folder: Path

    def __post_init__(self) -> None:
        self._losses = _LossLog(self.folder / "losses.jsonl")

    def moments(self, trajectory: Trajectory, after: int) -> Iterator[Moment]:
        """The scored states after a state, in order.

        Args:
            trajectory: of the run.
            after: id of the last state that was mirrored, -1 for none.
        """
        spent = 0
        for state in trajectory.states:
            spent += state.report.iterations if state.report is not None else 0
            if state.id > after and state.feedback is not None:
                yield self._moment(trajectory, state, spent)

    def _moment(self, trajectory: Trajectory, state: State, spent: int) -> Moment:
        assert state.feedback is not None
        weights = trajectory.weights_at(state.id)
        curves = {f"score/{metric}": value for metric, value in state.feedback.means().items()}
        curves |= {f"weight/{name}": value for name, value in weights.values().items()}
        begin = spent
        if state.report is not None:
            curves |= {f"gradient share/{n}": v for n, v in state.report.evidence.shares(weights).items()}
            begin -= state.report.iterations
        return Moment(
            state=state.id,
            step=spent,
            curves=_finite(curves),
            losses=tuple((begin + i, _finite(raw)) for i, raw in self._losses.of(state.id)),
            pictures=tuple(sorted((self.folder / "images" / state.name).glob("*.png"))[:PICTURES]),
            row=_row(state),
        )


def rows_of(trajectory: Trajectory, last: int) -> tuple[Row, ...]:
    """The decisions behind the scored states up to one."""
    return tuple(row for s in trajectory.scored if s.id <= last and (row := _row(s)) is not None)


@dataclass
class _LossLog:
    """``losses.jsonl``, which grows at its end while this process goes on."""

    path: Path
    _read: int = 0
    _known: dict[int, list[tuple[int, dict[str, float | None]]]] = field(
        default_factory=dict[int, list[tuple[int, dict[str, float | None]]]]
    )

    def of(self, state: int) -> list[tuple[int, dict[str, float | None]]]:
        """(iteration, ``loss/NAME`` -> raw value) of one stage, told once."""
        if self.path.exists():
            with self.path.open("rb") as file:
                file.seek(self._read)
                new = file.read()
            whole = new[: new.rfind(b"\n") + 1]  # a line that is being written is left for later
            self._read += len(whole)
            for line in whole.splitlines():
                record = json.loads(line)
                raw = {f"loss/{name}": value for name, value in record["raw"].items()}
                self._known.setdefault(record["state"], []).append((record["iteration"], raw))
        return self._known.pop(state, [])


def _finite(values: Mapping[str, float | None]) -> dict[str, float]:
    return {name: value for name, value in values.items() if value is not None and math.isfinite(value)}


def _row(state: State) -> Row | None:
    if state.decision is None:
        return None
    return Row(
        state=state.id,
        parent=state.parent,
        author=state.decision.author,
        weights=dict(state.decision.weights.values()),
        scores=state.feedback.means() if state.feedback is not None else {},
        adjusted_by=state.decision.adjusted_by,
        thoughts=state.decision.thoughts,
    )
