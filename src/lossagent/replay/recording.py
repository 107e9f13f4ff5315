"""A recorded run as its agent saw it: the trajectory, and what it was told, at each decision."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lossagent.errors import Refused
from lossagent.events import AnyEvent, Decided, Told
from lossagent.experiment import Experiment, load
from lossagent.experiment.metrics import PEOPLE
from lossagent.feedback import Feedback, MetricFacts
from lossagent.loops import LoopSettings, read_settings
from lossagent.losses import LOSSES
from lossagent.records import Decision, Exchange
from lossagent.runs import EXPERIMENT, read_events, read_exchanges
from lossagent.session.fixed import kept
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
        missing: facts that the agent had and the folder has not, one sentence each.
    """

    path: Path
    settings: Experiment | LoopSettings | None
    moments: tuple[Moment, ...]
    missing: tuple[str, ...] = ()

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """Every exchange behind a decision, in the order they were made."""
        return tuple(e for moment in self.moments for e in moment.exchanges.values())


def read_recording(run: Path) -> Recording:
    """Reads a run, finished or not.

    Raises:
        Refused: no run is there, nothing is decided yet, or what its agent was told was not recorded.
        Damaged: a file is not what was written.
    """
    events = read_events(run)
    settings = read_settings(run) or _experiment(run)
    missing: list[str] = []
    told = None
    if last_told(events) is None:  # a run of an earlier version: its files say most of it
        told = _told_by_files(run, settings if isinstance(settings, Experiment) else None, missing)
    moments = tuple(_moments(run, events, told))
    if not moments:
        raise Refused(f"the run {run} holds no decision yet: there is nothing to replay.")
    return Recording(run, settings, moments, tuple(missing))


def _moments(run: Path, events: Iterable[AnyEvent], told: Told | None) -> Iterator[Moment]:
    before: list[AnyEvent] = []
    for event in events:
        if isinstance(event, Decided):
            known = last_told(before) or told
            assert known is not None, "said by the first event, or by files"
            exchanges = {e.key: e for e in read_exchanges(run, event.state)}
            yield Moment(event.state, Trajectory.fold(before), known, event.decision, exchanges)
        before.append(event)


def _experiment(run: Path) -> Experiment | None:
    """The settings of the run; ``None`` where a loop of one's own left an empty file."""
    file = run / EXPERIMENT
    if not file.exists() or file.read_text(encoding="utf-8").strip() in ("", "{}"):
        return None
    return load(file)


def _told_by_files(run: Path, experiment: Experiment | None, missing: list[str]) -> Told:
    if experiment is None:
        raise Refused(
            f"{run} was written by an earlier version in a loop of your own: goal, bounds and seed, as the agent was "
            "told them, were not recorded. Runs of this version record them."
        )
    environment = _environment(run, missing)
    facts = {n: MetricFacts.model_validate(v) for n, v in (environment.get("metrics") or {}).items()}
    if not facts:
        missing.append("facts of the metrics (environment.json: metrics): the agent saw none in this replay.")
    if "ceiling" not in environment:
        missing.append("scores of the ground truth (environment.json: ceiling): the agent saw none in this replay.")
    targets = {target.metric for target in experiment.goal.targets}
    return Told(
        agent=str(experiment.dump()["agent"]["kind"]),
        goal=experiment.goal,
        bounds=experiment.bounds,
        metrics=dict(sorted(facts.items(), key=lambda item: item[0] in PEOPLE)),  # metrics before people, as scored
        seed=experiment.seed,
        stage_iterations=experiment.training.iterations,
        tolerance=experiment.tolerance,
        ceiling=environment.get("ceiling") or {},
        loss_facts={name: LOSSES.facts(settings.kind) for name, settings in experiment.losses.items()},
        guards=tuple(sorted(facts.keys() - targets - PEOPLE.keys())),
        fixed=_fixed(run, experiment, missing),
        can_restart=True,
    )


def _environment(run: Path, missing: list[str]) -> dict[str, Any]:
    try:
        loaded = json.loads((run / "environment.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        missing.append(f"environment.json, which cannot be read ({type(error).__name__}).")
        return {}
    return loaded if isinstance(loaded, dict) else {}  # pyright: ignore[reportUnknownVariableType]


def _fixed(run: Path, experiment: Experiment, missing: list[str]) -> dict[int, Feedback]:
    found = kept(run)
    if found is None and any(c.relative_to == "fixed" for c in experiment.goal.constraints):
        missing.append("scores of the fixed run (fixed.json), which constraints are relative to.")
    return dict(found.feedback) if found is not None else {}
