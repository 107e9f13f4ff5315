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

    A mapping that names its ``kind``, or is empty, replaces the old one whole: ``agent: {kind: random}`` means the
    same whatever the agent was before. Lists and everything else are replaced.
    """
    result = dict(base)
    for key, value in changes.items():
        old = result.get(key)
        into = isinstance(value, Mapping) and isinstance(old, Mapping) and value and "kind" not in value
        result[key] = merged(old, value) if into else value  # pyright: ignore[reportUnknownArgumentType, reportArgumentType]
    return result


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


def changed(before: Mapping[str, Any], now: Mapping[str, Any], above: str = "") -> str | None:
    """The first place at which two nested mappings differ, with both values; ``None`` where they are equal."""
    for key in dict.fromkeys([*before, *now]):
        place = f"{above}{key}"
        if key not in before or key not in now:
            return f"{place} is {'new' if key in now else 'gone'}"
        old, new = before[key], now[key]
        if old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            return changed(old, new, f"{place}.")  # pyright: ignore[reportUnknownArgumentType]
        return f"{place} was {str(old)[:60]} and is {str(new)[:60]}"
    return None
