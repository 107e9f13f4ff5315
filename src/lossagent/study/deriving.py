"""The experiment of each run, from the study's and what its arm changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lossagent.agents.table import create
from lossagent.errors import Refused
from lossagent.experiment import Experiment, parse
from lossagent.study.settings import FIXED


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Nested data with changes merged in, key by key.

    A mapping replaces another one whole where it is empty or names another ``kind``: an agent's options are no other
    agent's. Lists and everything else are replaced.
    """
    result = dict(base)
    for key, value in changes.items():
        old = result.get(key)
        if (
            isinstance(value, Mapping)
            and isinstance(old, Mapping)
            and value
            and value.get("kind") in (None, _kind(old))
        ):
            result[key] = merged(old, value)  # pyright: ignore[reportUnknownArgumentType]
        else:
            result[key] = value
    return result


def _kind(data: Mapping[Any, Any]) -> object:
    return data.get("kind")


def experiment_for(
    base: Mapping[str, Any], changes: Sequence[Mapping[str, Any]], arm: str, objective: str, seed: int
) -> Experiment:
    """The experiment of one run.

    One thread unless the file says otherwise, so that a study keeps all cores busy with runs and its results do not
    depend on their number; every state is kept until the run is over, so that all arms have as many candidates for
    selection; an agent that asks no language model gets none; the fixed arm has no limits relative to itself, and
    measures what they are about.

    Raises:
        Refused: it cannot be; the arm is named.
    """
    data: dict[str, Any] = dict(base)
    for change in changes:
        data = merged(data, change)
    training = dict(data.get("training") or {})
    training.setdefault("threads", 1)
    training["keep"] = None
    name = "-".join([arm.replace("@", "-at-"), objective, f"seed{seed}"])
    try:
        experiment = parse({**data, "training": training, "seed": seed, "name": name})
        if experiment.chat is not None and _asks_nobody(experiment):
            experiment = experiment.model_copy(update={"chat": None})
        return _unlimited(experiment) if arm == FIXED else experiment
    except Refused as error:
        raise Refused(f"arm {arm!r} of objective {objective!r}: {error}") from None


def _asks_nobody(experiment: Experiment) -> bool:
    try:
        create(experiment.agent)
    except Refused:
        return False
    return True


def _unlimited(experiment: Experiment) -> Experiment:
    """Without the limits that would be relative to the run itself."""
    limits = experiment.goal.constraints
    kept = [c.model_dump() for c in limits if c.relative_to != FIXED]
    if len(kept) == len(limits):
        return experiment
    data = experiment.dump()
    data["guards"] = list(dict.fromkeys([*data["guards"], *(c.metric for c in limits)]))
    data["goal"]["constraints"] = kept
    return parse(data)
