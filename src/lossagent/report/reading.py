"""Reads a run folder as plain files, and says what is missing instead of failing on it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict

from lossagent.errors import Damaged, Refused
from lossagent.events import EVENTS, AnyEvent, Warned
from lossagent.feedback import MetricFacts
from lossagent.judgements import PREFERENCE, RATING
from lossagent.objectives.people import PREFERENCE_FACTS, RATING_FACTS
from lossagent.records import Exchange, State
from lossagent.runs import LOOP, read_lines, settings_file
from lossagent.steering.deciding import last_told
from lossagent.trajectory import Trajectory

PEOPLE = {PREFERENCE: PREFERENCE_FACTS, RATING: RATING_FACTS}
EVALUATION = "evaluation.json"
PIXEL_LOSSES = ("l1", "charbonnier", "mse")
Line = TypeVar("Line", bound=BaseModel)


class EvaluatedRow(BaseModel):
    """Scores of one state, or of the ground truth or a control, on one image set.

    Attributes:
        state, depth: where in the tree; ``None`` for rows that are no state.
        scores: metric -> image -> score.
    """

    model_config = ConfigDict(frozen=True)

    state: int | None = None
    depth: int | None = None
    scores: dict[str, dict[str, float | None]] = {}


class EvaluatedSet(BaseModel):
    """One image set of ``evaluation.json``.

    Attributes:
        images: names.
        metrics: facts of each metric.
        rows: label -> scores.
        also_in: images that stand in another set too, where an overlap was declared.
        conditions: image -> condition; means are taken within conditions, then over them.
    """

    model_config = ConfigDict(frozen=True)

    images: tuple[str, ...] = ()
    metrics: dict[str, MetricFacts] = {}
    rows: dict[str, EvaluatedRow] = {}
    also_in: dict[str, str] = {}
    conditions: dict[str, str] = {}

    @property
    def named_conditions(self) -> tuple[str, ...]:
        """Its conditions in the order of the images; none where it has fewer than two."""
        found = tuple(dict.fromkeys(self.conditions.get(image, "") for image in self.images))
        return found if len(found) > 1 else ()


class Evaluation(BaseModel):
    """``evaluation.json``: set name -> scores, and what overlaps between sets were declared."""

    model_config = ConfigDict(frozen=True)

    sets: dict[str, EvaluatedSet] = {}
    overlap: tuple[str, ...] = ()


class LossLine(BaseModel):
    """A line of ``losses.jsonl``: raw values of one iteration of the stage that leads to ``state``."""

    model_config = ConfigDict(frozen=True)

    state: int
    iteration: int
    raw: dict[str, float | None] = {}
    total: float | None = None
    discriminator: dict[str, float | None] = {}
    lr: float | None = None
    images_per_second: float | None = None
    skipped: bool = False


@dataclass(frozen=True)
class RunData:
    """All that the report needs of a run.

    Attributes:
        path: the run folder.
        name: the experiment's name, else the folder's.
        experiment: the settings, whoever trained; empty where they are missing.
        environment: ``environment.json``; empty where it is missing.
        events: the readable events.
        trajectory: their fold.
        losses: the loss log.
        exchanges: state -> its exchanges in order.
        evaluation: ``None`` where the run was not evaluated (yet).
        missing: what could not be read, one sentence each.
        own_loop: whether somebody else's loop trained and restored.
    """

    path: Path
    name: str
    experiment: Mapping[str, Any]
    environment: Mapping[str, Any]
    events: tuple[AnyEvent, ...]
    trajectory: Trajectory
    losses: tuple[LossLine, ...] = ()
    exchanges: Mapping[int, tuple[Exchange, ...]] = field(default_factory=dict[int, tuple[Exchange, ...]])
    evaluation: Evaluation | None = None
    missing: tuple[str, ...] = ()
    own_loop: bool = False

    @property
    def last(self) -> State:
        """The newest state that was trained; S_0 where none was."""
        trained = [s for s in self.trajectory.states if s.report is not None or s.feedback is not None]
        return trained[-1] if trained else self.trajectory.start

    @property
    def selected(self) -> State:
        """The state that the run chose; the last one while it has not."""
        finished = self.trajectory.finished
        return self.trajectory.states[finished.selected] if finished is not None else self.last

    @property
    def warnings(self) -> tuple[str, ...]:
        """Texts of the recorded warnings, in order, each once."""
        return tuple(dict.fromkeys(e.text for e in self.events if isinstance(e, Warned)))

    @cached_property
    def facts(self) -> dict[str, MetricFacts]:
        """Facts of every metric that was recorded or evaluated; and of what people say in numbers."""
        sets = self.evaluation.sets.values() if self.evaluation is not None else ()
        evaluated = {name: facts for one in sets for name, facts in one.metrics.items()}
        scored = {m for s in self.trajectory.scored if s.feedback is not None for m in s.feedback.scores}
        people = {m: facts for m, facts in PEOPLE.items() if m in scored}
        return {**last_told(self.events).metrics, **_recorded(self.environment), **people, **evaluated}

    @property
    def anchor(self) -> str:
        """The loss that ratios are taken to: the one whose weight is frozen, else a pixel loss, else the first."""
        names = self.trajectory.initial.names
        frozen = section(self.experiment, "bounds").get("frozen") or ()
        pixel = [n for n in names if section(self.experiment, "losses", n).get("kind", n) in PIXEL_LOSSES]
        return next((n for n in names if n in frozen), pixel[0] if pixel else names[0])


def section(mapping: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    """A nested mapping of an experiment; empty where there is none."""
    value: Any = mapping
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return {str(k): v for k, v in value.items()} if isinstance(value, Mapping) else {}


def read_run(path: Path) -> RunData:
    """Reads a run, finished or not.

    Raises:
        Refused: the folder holds no run, or one that has not started.
    """
    if not (path / "events.jsonl").is_file():
        raise Refused(f"{path} is no run folder to report on: it has no events.jsonl.")
    missing: list[str] = []
    events = _events(path, missing)
    if not any(event.kind == "started" for event in events):
        raise Refused(f"the run {path} has not started: its events.jsonl holds no 'started' event yet.")
    trajectory = Trajectory.fold(events)
    experiment, own_loop = _settings(path, events, missing)
    run = RunData(
        path=path,
        name=str(experiment.get("name") or path.name),
        experiment=experiment,
        environment=_environment(path / "environment.json", missing),
        events=tuple(events),
        trajectory=trajectory,
        losses=tuple(_told(trajectory)) if own_loop else _lines(path / "losses.jsonl", LossLine, missing),
        exchanges={
            s: _lines(path / "exchanges" / f"state-{s:04d}.jsonl", Exchange, missing)
            for s in range(len(trajectory.states) + 1)
            if (path / "exchanges" / f"state-{s:04d}.jsonl").exists()
        },
        evaluation=_evaluation(path / EVALUATION, missing) if not own_loop or (path / EVALUATION).exists() else None,
        missing=(),
        own_loop=own_loop,
    )
    if own_loop and run.evaluation is None:
        missing.append(
            "No selection or test images were scored: a loop of your own tells its feedback images alone, so every "
            "number here is of images that the run was steered by."
        )
    if trajectory.finished is None:
        told = len(trajectory.scored) - 1 if trajectory.scored else 0
        missing.insert(0, f"The run is not finished: {told} of {trajectory.stages} stages are scored.")
    return dataclasses.replace(run, missing=tuple(missing))


def _told(trajectory: Trajectory) -> Iterator[LossLine]:
    """What a loop told of its losses: one mean a stage, from the stage's beginning to its end."""
    for state in trajectory.states:
        if state.report is not None and state.report.losses:
            for iteration in (0, state.report.iterations or 1):
                yield LossLine(state=state.id, iteration=iteration, raw=dict(state.report.losses))


def _recorded(environment: Mapping[str, Any]) -> dict[str, MetricFacts]:
    """Facts of metrics as the run began; those that cannot be read are left out."""
    found: dict[str, MetricFacts] = {}
    for name, value in section(environment, "metrics").items():
        with contextlib.suppress(ValueError):
            found[name] = MetricFacts.model_validate(value)
    return found


def _events(path: Path, missing: list[str]) -> list[AnyEvent]:
    lines, torn = read_lines(path / "events.jsonl")
    if torn:
        missing.append("events.jsonl ended in a torn line; it was left out.")
    try:
        return [EVENTS.validate_json(line) for line in lines]
    except ValueError as error:
        raise Damaged(f"{path / 'events.jsonl'} holds a line that is no event: {error}") from error


def _settings(path: Path, events: Sequence[AnyEvent], missing: list[str]) -> tuple[dict[str, Any], bool]:
    """The settings, and whether they are those of somebody else's loop."""
    file = settings_file(path)
    try:
        loaded = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        missing.append(f"{file.name} cannot be read ({type(error).__name__}): settings are not shown.")
        return {}, file.name == LOOP
    if loaded == {}:  # a Steering by itself: it recorded what agents need
        known = {"agent", "goal", "bounds", "seed", "tolerance", "guards"}
        return last_told(events).model_dump(mode="json", include=known), True
    settings = {str(k): v for k, v in loaded.items()} if isinstance(loaded, dict) else {}
    return settings, file.name == LOOP


def _environment(path: Path, missing: list[str]) -> dict[str, Any]:
    try:
        loaded = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        missing.append(
            f"environment.json cannot be read ({type(error).__name__}): versions and licences are not shown."
        )
        return {}
    return {str(k): v for k, v in loaded.items()} if isinstance(loaded, dict) else {}


def _lines(path: Path, kind: type[Line], missing: list[str]) -> tuple[Line, ...]:
    """The records of a JSON-lines file; lines that are none are counted and said."""
    if not path.exists():
        missing.append(f"{path.name} is not there.")
        return ()
    lines, torn = read_lines(path)
    records: list[Line] = []
    bad = int(torn)
    for line in lines:
        try:
            records.append(kind.model_validate_json(line))
        except ValueError:
            bad += 1
    if bad:
        missing.append(f"{path.name} holds {bad} unreadable line{'s' if bad > 1 else ''}; left out.")
    return tuple(records)


def _evaluation(path: Path, missing: list[str]) -> Evaluation | None:
    if not path.exists():
        missing.append("evaluation.json is not there: only the feedback scores of the run itself are shown.")
        return None
    try:
        return Evaluation.model_validate_json(path.read_text(encoding="utf-8"))
    except ValueError as error:
        missing.append(f"evaluation.json cannot be read: {str(error).splitlines()[0]}.")
        return None
