"""The arms of a simulated study, from agents or from a study file."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from lossagent.agents.settings import AgentOptions
from lossagent.agents.table import create
from lossagent.chat import ChatModel
from lossagent.errors import Refused
from lossagent.experiment.complaints import complaints
from lossagent.experiment.sections import agent_section
from lossagent.simulator.model import Model
from lossagent.study.deriving import merged
from lossagent.study.plan import Study
from lossagent.study.settings import FIXED, FULL
from lossagent.weights import Bounds, Weights

KNOWN = frozenset({"agent", "bounds", "losses"})
"""What an arm of a study may change for the simulator; anything else asks for other training than was recorded."""


@dataclass(frozen=True)
class Arm:
    """One arm of a simulated study.

    Attributes:
        name: of the arm.
        agent: who decides.
        bounds, initial: of its runs.
        plain: the changes as a study file writes them.
    """

    name: str
    agent: AgentOptions
    bounds: Bounds
    initial: Weights
    plain: Mapping[str, Any]


def named_arms(agents: Sequence[Mapping[str, Any]], model: Model, taken: Sequence[str] = ()) -> tuple[Arm, ...]:
    """Arms named by their kinds, with a number where a name is taken.

    Raises:
        Refused: settings that cannot be.
    """
    found: list[Arm] = []
    for data in agents:
        kind = str(data.get("kind"))
        names = {*taken, *(arm.name for arm in found)}
        free = next(name for name in _names(kind) if name not in names)
        found.append(_arm(free, {"agent": dict(data)}, model))
    return tuple(found)


def _names(kind: str) -> Iterator[str]:
    yield kind
    yield from (f"{kind}-{number}" for number in itertools.count(2))


def study_arms(study: Study, model: Model) -> tuple[tuple[Arm, ...], tuple[str, ...]]:
    """The arms of a study file that can be simulated, and why the others cannot.

    The study's experiment and seeds are not looked at: goal, bounds, first weights and stages are those of the recorded
    runs, and all arms are simulated over the same seeds.

    Raises:
        Refused: settings that cannot be.
    """
    found: list[Arm] = []
    left_out: list[str] = []
    for name, arm in study.arms.items():
        if other := sorted(arm.changes.keys() - KNOWN):
            left_out.append(f"arm {name!r} changes {', '.join(other)}, which the model knows nothing of.")
            continue
        found.append(_arm(name, arm.changes, model))
    for name, weights in (study.tuned.full if study.tuned is not None else {}).items():
        losses = {loss: {"weight": weight} for loss, weight in weights.items()}
        found.append(_arm(f"{FULL}{name}", {"agent": {"kind": "fixed"}, "losses": losses}, model))
    return tuple(found), tuple(left_out)


def with_fixed(arms: Sequence[Arm], model: Model) -> tuple[Arm, ...]:
    """The arms, the fixed one among them: every page compares with it."""
    if any(arm.name == FIXED for arm in arms):
        return tuple(arms)
    return (_arm(FIXED, {"agent": {"kind": "fixed"}}, model), *arms)


def agent_of(arm: Arm, chat: ChatModel | None) -> str | None:
    """Why an arm's agent cannot be made, ``None`` where it can."""
    try:
        create(arm.agent, chat)
    except Refused as error:
        return f"arm {arm.name!r} is left out: {error}"
    return None


def _arm(name: str, changes: Mapping[str, Any], model: Model) -> Arm:
    setting = model.setting
    weights = {n: loss["weight"] for n, loss in changes.get("losses", {}).items() if "weight" in loss}
    unknown = sorted(weights.keys() - set(setting.initial.names))
    if unknown:
        raise Refused(f"arm {name!r}: the model has losses {', '.join(setting.initial.names)}; found {unknown}.")
    try:
        agent = agent_section(changes.get("agent", {}))
        bounds = Bounds.model_validate(merged(setting.bounds.model_dump(), changes.get("bounds", {})))
    except (ValidationError, Refused) as error:
        said = "; ".join(complaints(error)) if isinstance(error, ValidationError) else str(error)
        raise Refused(f"arm {name!r}: {said}") from None
    initial = Weights.of({**setting.initial.values(), **weights}, keep=setting.initial) if weights else setting.initial
    return Arm(name, agent, bounds, initial, changes)
