"""The study that a run's trials go to.

A trial is a state after S_0. Unlike the trials of a search, states build on each other: a trial's score is of all the
weights on the path to it, and what Optuna says of the importance of a weight is about trajectories like this one.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lossagent.adapters.optuna.outcomes import ON, Outcome, outcomes, plain, ranges, start_of, switched
from lossagent.agents.search.silence import quiet_optuna
from lossagent.errors import MissingPackage, Refused
from lossagent.events import AnyEvent, Started, Told
from lossagent.runs import read_events
from lossagent.steering.deciding import last_told
from lossagent.trajectory import Trajectory

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

CONSTRAINTS = "constraints"
"""System attribute of a trial under which samplers keep constraints, at most 0 where kept; the dashboard reads it."""
STATE, RUN = "state", "run"
"""User attributes by which trials and studies are found again."""


def to_study(run: Path | str, storage: str | BaseStorage, name: str | None = None) -> Study:
    """Adds the states of a run to an Optuna study: all of them to a new one, else those that it does not have.

    Parameters are the weights, on a logarithmic scale within the bounds; values are the means of the goal's targets;
    states whose score is missing are failed trials. What else is known stands in the trials' user attributes.

    Args:
        run: a run folder; the run may be going on.
        storage: where studies are kept, e.g. ``sqlite:///steering.db``.
        name: of the study; by default that of the folder.

    Raises:
        Refused: no run; a goal without a number; a study of this name that is of something else; a storage that cannot
            be opened.
        MissingPackage: Optuna is not installed.
    """
    _require_optuna()
    path = Path(run)
    events = read_events(path)
    trajectory, told = Trajectory.fold(events), last_told(events)
    if not told.goal.scalar:
        raise Refused("a study needs values, and the goal is a wish only: name a proxy metric (goal.proxy).")
    with quiet_optuna():
        study = _study(storage, name or path.absolute().name, path, _identity(events), told)
        _describe(study, trajectory, told)
        known = {trial.user_attrs.get(STATE) for trial in study.get_trials(deepcopy=False)}
        found = _distributions(trajectory, told)
        study.add_trials([_trial(o, found) for o in outcomes(events, trajectory, told) if o.state not in known])
    return study


def _study(storage: str | BaseStorage, name: str, run: Path, identity: str, told: Told) -> Study:
    """The study of this name, new if there is none."""
    import optuna
    from optuna.study import StudyDirection
    from sqlalchemy.exc import SQLAlchemyError

    sides = {"lower": StudyDirection.MINIMIZE, "higher": StudyDirection.MAXIMIZE}
    directions = [sides[target.direction] for target in told.goal.scalar]
    try:
        kept = optuna.storages.get_storage(storage)
        if name not in optuna.get_all_study_names(kept):
            study = optuna.create_study(storage=kept, study_name=name, directions=directions)
            study.set_user_attr(RUN, identity)
            return study
        study = optuna.load_study(study_name=name, storage=kept)
    except (SQLAlchemyError, ImportError, ValueError, optuna.exceptions.OptunaError) as error:
        shown = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise Refused(f"the storage {storage!r} cannot be used: {shown}. Wanted e.g. sqlite:///steering.db.") from error
    if study.user_attrs.get(RUN) != identity:
        raise Refused(f"the storage holds a study {name!r} that is not of the run {run}: give another name.")
    if study.directions != directions:
        raise Refused(f"the study {name!r} has other targets than the run {run}: give another name.")
    return study


def _describe(study: Study, trajectory: Trajectory, told: Told) -> None:
    from optuna.exceptions import ExperimentalWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        study.set_metric_names([target.metric for target in told.goal.scalar])
    for key, value in {
        "agent": told.agent,
        "initial weights": trajectory.initial.values(),
        "scores of S_0": start_of(trajectory),
        "goal": plain(told.goal.model_dump(mode="json")),
    }.items():
        study.set_user_attr(key, value)


def _distributions(trajectory: Trajectory, told: Told) -> dict[str, BaseDistribution]:
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    found: dict[str, BaseDistribution] = {
        name: FloatDistribution(low, high, log=True) for name, (low, high) in ranges(trajectory, told).items()
    }
    return found | {f"{name}{ON}": CategoricalDistribution([True, False]) for name in switched(trajectory)}


def _trial(outcome: Outcome, distributions: Mapping[str, BaseDistribution]) -> FrozenTrial:
    from optuna.trial import TrialState, create_trial

    trial = create_trial(
        state=TrialState.FAIL if outcome.values is None else TrialState.COMPLETE,
        values=outcome.values,
        params=dict(outcome.params),
        distributions=dict(distributions),
        user_attrs=dict(outcome.attributes),
        system_attrs={} if outcome.constraints is None else {CONSTRAINTS: list(outcome.constraints)},
        intermediate_values=dict(outcome.between),
    )
    if outcome.began is not None and outcome.ended is not None:
        trial.datetime_start, trial.datetime_complete = outcome.began, outcome.ended
    return trial


def _identity(events: list[AnyEvent]) -> str:
    """The run's name and the second it began in: the folder may have been moved since."""
    started = next(event for event in events if isinstance(event, Started))
    return f"{started.run} of {started.time:.0f}"


def _require_optuna() -> None:
    if importlib.util.find_spec("optuna") is None:
        raise MissingPackage("optuna", "search", "An Optuna study")
