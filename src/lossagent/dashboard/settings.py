"""What an experiment says of its goal, losses and metrics, as plain data: the parts of a run are never imported."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from lossagent.dashboard.reading import EventLog, Watched, section
from lossagent.feedback import Feedback, MetricFacts
from lossagent.goal import Goal
from lossagent.judgements import PREFERENCE, RATING
from lossagent.runs import EXPERIMENT, LOOP
from lossagent.trajectory import Trajectory
from lossagent.weights import Bounds

Role = Literal["target", "constraint", "guard"]
PIXEL_LOSSES = ("l1", "charbonnier", "mse")
PEOPLE: Mapping[str, Mapping[str, Any]] = {
    PREFERENCE: {"direction": "higher", "low": None, "high": None, "unit": 0.4},
    RATING: {"direction": "higher", "low": 1.0, "high": 5.0, "unit": 0.25},
}
"""Facts of what people say in numbers, should none be recorded."""


@dataclass
class RunSettings:
    """The settings of a run and what is recorded of metrics, read again when the files change.

    Args:
        run: the run folder.
        metrics: whether facts of metrics are wanted.

    Attributes:
        problems: what could not be read, one sentence each.
        facts: metric -> its facts.
        ceiling: metric -> mean score of the feedback images' ground truth.
        fixed: depth -> feedback of the run under fixed weights that constraints are relative to.
        goal, bounds: those of the experiment.
        version: how often anything was read anew.
    """

    run: Path
    metrics: bool = True
    problems: list[str] = field(default_factory=list[str])
    facts: dict[str, MetricFacts] = field(default_factory=dict[str, MetricFacts])
    ceiling: dict[str, float] = field(default_factory=dict[str, float])
    fixed: dict[int, Feedback] = field(default_factory=dict[int, Feedback])
    goal: Goal = field(default_factory=lambda: Goal.model_construct(targets=(), constraints=(), wish=None))
    bounds: Bounds = field(default_factory=Bounds)
    version: int = 0

    def __post_init__(self) -> None:
        self._settings = Watched(self.run / EXPERIMENT), Watched(self.run / LOOP)
        self._environment = Watched(self.run / "environment.json")
        self._evaluation = Watched(self.run / "evaluation.json")
        self._evaluated: tuple[dict[str, Any], dict[str, float]] = {}, {}

    @property
    def experiment(self) -> Mapping[str, Any]:
        """The settings, whoever trains; empty where they are missing or cannot be read."""
        own, loop = self._settings
        return own.value or loop.value

    @property
    def by_calls(self) -> bool:
        """Whether a loop comes for one call a stage, so that nobody holds the run between two."""
        return self.experiment.get("by_calls") is True

    def read(self) -> bool:
        """Looks; whether anything has changed."""
        files = (*self._settings, *((self._environment, self._evaluation) if self.metrics else ()))
        if not any([file.read() for file in files]):
            return False
        self.version += 1
        self.problems = [file.problem for file in files if file.problem]
        self.goal = self._goal()
        self.bounds = self._bounds()
        evaluated = section(self._evaluation.value, "sets")
        self._evaluation.value = {}  # the scores in it are many, and most are not wanted here
        if evaluated:
            self._evaluated = _metrics_in(evaluated), _ceiling_in(evaluated)
        self.facts = self._facts()
        self.ceiling = self._evaluated[1] | numbers(section(self._environment.value, "ceiling"))
        self.fixed = self._fixed() if self.metrics else {}
        return True

    @property
    def name(self) -> str:
        """The experiment's name, else the folder's."""
        return str(self.experiment.get("name") or self.run.name)

    @property
    def seed(self) -> int:
        """Of the resampling behind intervals: the one that agents use."""
        seed = self.experiment.get("seed")
        return seed if isinstance(seed, int) and seed >= 0 else 0

    @property
    def tolerance(self) -> dict[str, float]:
        """metric -> change that counts as noise where it cannot be estimated."""
        return {m: v for m, v in numbers(section(self.experiment, "tolerance")).items() if v >= 0}

    @property
    def people(self) -> dict[str, Any]:
        """What people are asked; empty where nobody is."""
        return section(self.experiment, "people")

    @property
    def raters(self) -> int:
        """How many people a task wants."""
        wanted = self.people.get("raters")
        return wanted if isinstance(wanted, int) and wanted > 0 else 1

    @property
    def agent(self) -> str:
        """The agent in a few words, e.g. ``"llm with rollback"``; "" where it is not recorded."""
        kinds: list[str] = []
        rollback = False

        def walk(value: object, depth: int) -> None:
            nonlocal rollback
            if isinstance(value, dict) and depth < 8:
                if isinstance(kind := value.get("kind"), str):
                    kinds.append(kind)
                rollback |= value.get("rollback") not in (None, False)
                for inner in value.values():
                    walk(inner, depth + 1)

        walk(self.experiment.get("agent"), 0)
        rest = [kind for kind in kinds if kind != "rollback"]
        if not rest:
            return "rollback" if kinds else ""
        return " + ".join(rest) + (" with rollback" if rollback or "rollback" in kinds else "")

    def anchor(self, names: Sequence[str]) -> str:
        """The loss that ratios are taken to: the one whose weight is frozen, else a pixel loss, else the first."""
        pixel = [n for n in names if section(self.experiment, "losses", n).get("kind", n) in PIXEL_LOSSES]
        return next((n for n in names if n in self.bounds.frozen), pixel[0] if pixel else names[0])

    def roles(self, scored: Sequence[str]) -> dict[str, Role]:
        """Every metric of the goal, then the guards, then what else was scored: a guard as well."""
        roles: dict[str, Role] = {t.metric: "target" for t in self.goal.targets}
        for constraint in self.goal.constraints:
            roles.setdefault(constraint.metric, "constraint")
        guards = self.experiment.get("guards")
        named = [g for g in guards if isinstance(g, str)] if isinstance(guards, list) else []
        for metric in [*named, *scored]:
            roles.setdefault(metric, "guard")
        return roles

    def metric(self, name: str, role: Role) -> dict[str, Any]:
        """What the page needs to know of a metric."""
        plain: dict[str, Any] = dict.fromkeys(
            ("direction", "low", "high", "unit", "implementation", "version", "needs_reference")
        )
        plain |= PEOPLE.get(name, {})
        for target in self.goal.targets:
            if target.metric == name:
                plain |= {"direction": target.direction, "unit": target.unit}
        if name in self.facts:
            plain = {key: getattr(self.facts[name], key) for key in plain}
        return {**plain, "role": role, "tolerance": self.tolerance.get(name)}

    def _goal(self) -> Goal:
        empty = Goal.model_construct(targets=(), constraints=(), wish=None)
        if not self.experiment.get("goal"):
            return empty
        try:
            return Goal.model_validate(self.experiment["goal"])
        except ValidationError:
            self.problems.append("the goal in its settings cannot be read; every metric is shown as a guard.")
            return empty

    def _bounds(self) -> Bounds:
        try:
            return Bounds.model_validate(section(self.experiment, "bounds"))
        except ValidationError:
            self.problems.append("the bounds in its settings cannot be read; the usual ones are shown.")
            return Bounds()

    def _facts(self) -> dict[str, MetricFacts]:
        """From the record of the run's machine, else from its evaluation, which comes at the end."""
        found = self._evaluated[0] | section(self._environment.value, "metrics")
        facts: dict[str, MetricFacts] = {}
        for name, value in found.items():
            try:
                facts[name] = MetricFacts.model_validate(value)
            except ValidationError:
                self.problems.append(f"the recorded facts of metric {name[:80]} cannot be read.")
        return facts

    def _fixed(self) -> dict[int, Feedback]:
        place = self.experiment.get("fixed_run")
        if not isinstance(place, str) or not any(c.relative_to == "fixed" for c in self.goal.constraints):
            return {}
        events, _ = EventLog(self.run / place / "events.jsonl").read()
        try:
            states = Trajectory.fold(events).states
        except (ValueError, LookupError):
            self.problems.append("the run under fixed weights (fixed_run) cannot be read; alarms do without it.")
            return {}
        return {s.depth: s.feedback for s in states if s.feedback is not None}


def numbers(mapping: Mapping[str, Any]) -> dict[str, float]:
    """Its finite numbers."""
    return {n: float(v) for n, v in mapping.items() if isinstance(v, int | float) and math.isfinite(v)}


def _metrics_in(evaluated: Mapping[str, Any]) -> dict[str, Any]:
    """Facts of every metric of ``evaluation.json``."""
    return {name: facts for one in evaluated for name, facts in section(evaluated, one, "metrics").items()}


def _ceiling_in(evaluated: Mapping[str, Any]) -> dict[str, float]:
    """Means of the ground truth's own scores on the feedback images."""
    scores = section(evaluated, "feedback", "rows", "ground truth", "scores")
    try:
        whole = Feedback.model_validate({"scores": scores, "conditions": section(evaluated, "feedback", "conditions")})
    except ValidationError:
        return {}
    return numbers(whole.means())
