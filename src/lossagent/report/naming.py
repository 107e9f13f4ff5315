"""What the runs of a page are called, and what is known of each metric: its direction, its unit, its part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from lossagent.feedback import Direction, Feedback
from lossagent.report.numbers import digits
from lossagent.report.palette import RunStyle, run_style
from lossagent.report.reading import PEOPLE, RunData, section

Role = Literal["objective", "constraint", "proxy", "guard"]


@dataclass(frozen=True)
class MetricInfo:
    """A metric as the page shows it.

    Attributes:
        name: the name it is asked for by.
        direction: which way is wanted, ``None`` where no facts were recorded.
        unit: a change worth speaking of, ``None`` where unknown.
        objective: whether the run was steered by it.
        role: ``objective``; ``constraint`` where the goal sets it a limit; ``proxy`` where it stands in for a wish or
            for people; else ``guard``.
        ceiling: whether the ground truth's own score means something: not where it is compared with itself.
        details: implementation, version and options, for a footnote.
    """

    name: str
    direction: Direction | None
    unit: float | None
    objective: bool
    ceiling: bool = True
    details: str = ""
    role: Role = "guard"

    @property
    def arrow(self) -> str:
        """An arrow in the wanted direction."""
        return {"lower": "↓", "higher": "↑"}.get(self.direction or "", "")

    @property
    def wanted(self) -> str:
        """The arrow in words."""
        return f"{self.direction} wanted" if self.direction else "direction not recorded"

    def places(self, value: float | None = None) -> int:
        """Decimals of its numbers."""
        return digits(self.unit, value)

    def gain(self, change: float) -> float:
        """A change counted positive in the wanted direction."""
        return -change if self.direction == "lower" else change


def metrics_of(runs: Sequence[RunData]) -> dict[str, MetricInfo]:
    """Every metric of the runs: targets of the first run's goal, what it limits, then guards in the order recorded."""
    targets = {str(t.get("metric")): t for t in goal_targets(runs[0])}
    limits, proxies = (_named(runs[0], part) for part in ("constraints", "proxy"))
    roles: dict[str, Role] = {
        **dict.fromkeys(proxies, "proxy"),
        **dict.fromkeys(limits, "constraint"),
        **dict.fromkeys(targets, "objective"),
    }
    guards = [str(g) for g in runs[0].experiment.get("guards") or ()]
    seen = [m for run in runs for state in run.trajectory.scored for m in (state.feedback or Feedback()).scores]
    facts = {name: one for run in reversed(runs) for name, one in run.facts.items()}
    known = {*seen, *facts}
    order = dict.fromkeys([m for m in [*targets, *proxies, *limits, *guards, *facts, *seen] if m in known])
    result: dict[str, MetricInfo] = {}
    for name in order:
        fact, target = facts.get(name), targets.get(name, {})
        direction = fact.direction if fact is not None else target.get("direction")
        unit = fact.unit if fact is not None else target.get("unit")
        details = ""
        if fact is not None:
            options = ", ".join(f"{k} {v}" for k, v in fact.options.items())
            details = f"{fact.implementation} {fact.version}" + (f" ({options})" if options else "")
            details += ", compared with the ground truth" if fact.needs_reference else ", no reference needed"
        ceiling = name not in PEOPLE and (fact is None or not fact.needs_reference)
        result[name] = MetricInfo(name, direction, unit, name in targets, ceiling, details, roles.get(name, "guard"))
    return result


def _named(run: RunData, part: str) -> list[str]:
    """Metrics of the goal's constraints or proxy."""
    found = section(run.experiment, "goal").get(part) or ()
    return [str(one.get("metric")) for one in found if isinstance(one, dict)]


def goal_targets(run: RunData) -> list[dict[str, Any]]:
    """The targets of a run's goal as plain data."""
    targets = section(run.experiment, "goal").get("targets") or ()
    return [dict(t) for t in targets if isinstance(t, dict)]


def agent_kinds(run: RunData) -> tuple[str, ...]:
    """Kinds of the agent from the outside in: ``("rollback", "llm")``."""
    kinds: list[str] = []

    def walk(value: object) -> None:
        if isinstance(value, dict):
            kind = value.get("kind")
            if isinstance(kind, str):
                kinds.append(kind)
            if value.get("rollback") not in (None, False) and "rollback" not in kinds:
                kinds.insert(max(0, len(kinds) - 1), "rollback")
            for inner in value.values():
                walk(inner)

    walk(run.experiment.get("agent"))
    if kinds:
        return tuple(kinds)
    authors = [s.decision.author for s in run.trajectory.states if s.decision is not None]
    return tuple(dict.fromkeys(a for a in authors if a != "initial"))


def is_fixed(run: RunData) -> bool:
    """Whether the weights of a run never change: the baseline."""
    return agent_kinds(run)[:1] == ("fixed",)


def agent_words(run: RunData) -> str:
    """The agent in a few words, e.g. ``"llm with rollback"``."""
    kinds = list(agent_kinds(run))
    if not kinds:
        return "not recorded"
    rest = [k for k in kinds if k != "rollback"]
    words = " + ".join(rest) or "rollback"
    return f"{words} with rollback" if "rollback" in kinds and rest else words


def styles_of(runs: Sequence[RunData]) -> tuple[RunStyle, ...]:
    """The label and colour of each run; equal labels are told apart by the run's name."""
    labels = ["fixed weights" if is_fixed(run) else agent_words(run) for run in runs]
    labels = [run.name if label == "not recorded" else label for label, run in zip(labels, runs, strict=True)]
    unique = [
        f"{label} ({run.name})" if labels.count(label) > 1 else label for label, run in zip(labels, runs, strict=True)
    ]
    # Orange belongs to the fixed run wherever it stands, so that pages can be laid side by side.
    fixed = next((i for i, run in enumerate(runs) if is_fixed(run) and i > 0), None)
    slots = [i for i in range(len(runs) + 1) if i != 1] if fixed is not None else list(range(len(runs)))
    places = iter(slots)
    return tuple(run_style(1 if i == fixed else next(places), label) for i, label in enumerate(unique))


def fixed_run(runs: Sequence[RunData]) -> RunData | None:
    """The fixed run beside the reported one, if there is one."""
    return next((run for run in runs[1:] if is_fixed(run)), None)
