"""A study folder, read for its page: what was planned, what was registered, what was found."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from lossagent.errors import Damaged, Refused
from lossagent.experiment import read_yaml
from lossagent.study.carrying import RUNS
from lossagent.study.failures import read_failure
from lossagent.study.jobs import Job
from lossagent.study.outcome import Outcome, read_outcomes
from lossagent.study.plan import Study, parse
from lossagent.study.registering import REGISTERED, STUDY, Plan, Registration, plan_of, read_registration
from lossagent.study.results import BySeed, Results
from lossagent.study.tuned import with_tuned
from lossagent.weights import Bounds

SIMULATED = "simulated.json"
"""A study folder with this file was made by a response model, not by training."""


@dataclass(frozen=True)
class Folder:
    """A study folder.

    Attributes:
        path: where it is.
        study: its plan.
        results: what was found, the derived arm included.
        registration: ``None`` where nothing was registered.
        plan: whether the plan is the one that was registered; ``None`` where nothing was.
        missing: (run, why) of every run without an outcome, in the order of the study.
        strangers: keys of outcomes that the plan does not ask for; they are left out of everything.
        simulated: what is known of the response model, ``None`` where the runs are real.
    """

    path: Path
    study: Study
    results: Results
    registration: Registration | None
    missing: tuple[tuple[str, str], ...]
    strangers: tuple[str, ...]
    simulated: Mapping[str, object] | None = None
    plan: Plan | None = None


def read_folder(path: Path) -> Folder:
    """Reads a study folder.

    Args:
        path: with ``study.yaml`` and ``results``.

    Raises:
        Refused: no study folder, or a study file that cannot be read.
        Damaged: an outcome or record that is not what was written.
    """
    if not (path / STUDY).is_file():
        raise Refused(f"{path} must be a study folder, with a {STUDY}; found none. `lossagent compare` makes one.")
    study = parse(read_yaml(path / STUDY, "study"))
    planned: dict[str, dict[str, tuple[int, ...]]] = {
        objective: {arm: study.seeds_of(arm) for arm in study.names} for objective in study.objectives
    }
    outcomes: dict[str, dict[str, dict[int, Outcome]]] = {o: {a: {} for a in arms} for o, arms in planned.items()}
    strangers: list[str] = []
    for one in read_outcomes(path):
        if one.seed in planned.get(one.objective, {}).get(one.arm, ()):
            outcomes[one.objective][one.arm][one.seed] = one
        else:
            strangers.append(f"{one.objective}/{one.arm}/seed-{one.seed:04d}")
    missing = [(job.key, _why(path, job)) for job in study.jobs if job.seed not in outcomes[job.objective][job.arm]]
    simulated = _json(path / SIMULATED)
    results = Results(
        name=study.name,
        outcomes=_sorted(outcomes),
        planned=planned,
        sweeps=tuple(name for name, arm in study.arms.items() if _kind(arm.changes) == "sweep"),
        best_of_full=study.best_of_full,
        primary=study.primary,
        bounds=_bounds(study),
        simulated=simulated is not None,
        know_fixed=study.know_fixed,
    )
    registration = read_registration(path) if (path / REGISTERED).exists() else None
    plan = plan_of(path, registration) if registration is not None else None
    return Folder(path, study, with_tuned(results), registration, tuple(missing), tuple(strangers), simulated, plan)


def _sorted(outcomes: Mapping[str, Mapping[str, Mapping[int, Outcome]]]) -> dict[str, dict[str, BySeed]]:
    return {o: {a: dict(sorted(seeds.items())) for a, seeds in arms.items()} for o, arms in outcomes.items()}


def _why(path: Path, job: Job) -> str:
    if (reason := read_failure(path, job)) is not None:
        return f"failed: {reason}"
    return "begun, not finished" if (path / RUNS / job.key).is_dir() else "not begun"


def _kind(changes: Mapping[str, object]) -> object:
    agent = changes.get("agent")
    return agent.get("kind") if isinstance(agent, dict) else None  # pyright: ignore[reportUnknownVariableType]


def _bounds(study: Study) -> Bounds:
    """The bounds of the experiment where it stands in the file; they say which loss is the anchor."""
    try:
        return Bounds.model_validate((study.base or {}).get("bounds", {}))
    except ValidationError as error:
        raise Refused(f"bounds of study {study.name!r} cannot be read: {error}") from error


def _json(file: Path) -> dict[str, object] | None:
    if not file.exists():
        return None
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Damaged(f"{file} is not what was written: {error}") from error
    if not isinstance(data, dict):
        raise Damaged(f"{file} must hold keys and values; found {type(data).__name__}.")
    return {str(k): v for k, v in data.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
