"""A recorded run as its agent saw it: the trajectory, and what it was told, at each decision."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lossagent.errors import Refused
from lossagent.events import AnyEvent, Decided, Told
from lossagent.experiment import Experiment, load
from lossagent.loops import LoopSettings, read_settings
from lossagent.records import Decision, Exchange
from lossagent.runs import EXPERIMENT, read_events, read_exchanges
from lossagent.steering.deciding import last_told
from lossagent.trajectory import Trajectory


@dataclass(frozen=True)
class Moment:
    """A decision, and all that was known when it was made.

    Attributes:
        state: id of the state that it leads to.
        trajectory: the run before it.
        told: what the agent was told beside the trajectory.
        decision: as recorded.
        exchanges: key -> the exchanges behind it.
    """

    state: int
    trajectory: Trajectory
    told: Told
    decision: Decision
    exchanges: Mapping[str, Exchange]


@dataclass(frozen=True)
class Recording:
    """A run folder, read for a replay. Nothing is built: no image, network or language model is needed.

    Attributes:
        path: the folder.
        settings: what it was asked for: an experiment, or the settings of somebody's own loop; ``None`` where a loop
            kept none.
        moments: every decision in order.
    """

    path: Path
    settings: Experiment | LoopSettings | None
    moments: tuple[Moment, ...]

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """Every exchange behind a decision, in the order they were made."""
        return tuple(e for moment in self.moments for e in moment.exchanges.values())


def read_recording(run: Path) -> Recording:
    """Reads a run, finished or not.

    Raises:
        Refused: no run is there, or nothing is decided yet.
        Damaged: a file is not what was written.
    """
    events = read_events(run)
    settings = read_settings(run) or _experiment(run)
    moments = tuple(_moments(run, events))
    if not moments:
        raise Refused(f"the run {run} holds no decision yet: there is nothing to replay.")
    return Recording(run, settings, moments)


def _moments(run: Path, events: Iterable[AnyEvent]) -> Iterator[Moment]:
    before: list[AnyEvent] = []
    for event in events:
        if isinstance(event, Decided):
            exchanges = {e.key: e for e in read_exchanges(run, event.state)}
            yield Moment(event.state, Trajectory.fold(before), last_told(before), event.decision, exchanges)
        before.append(event)


def _experiment(run: Path) -> Experiment | None:
    """The settings of the run; ``None`` where a loop of one's own left an empty file."""
    file = run / EXPERIMENT
    if not file.exists() or file.read_text(encoding="utf-8").strip() in ("", "{}"):
        return None
    return load(file)
