"""Decisions made again, and decisions that another agent would have made."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from lossagent.agents.base import Agent, forget
from lossagent.agents.table import create
from lossagent.errors import LossAgentError, Refused
from lossagent.records import Decision, Exchange, Recall
from lossagent.replay.chats import OnlyRecorded
from lossagent.replay.recording import Moment, Recording
from lossagent.steering.deciding import INITIAL, next_decision, view_of
from lossagent.steering.settling import settled
from lossagent.weights import Weights

SAME = 1e-9
"""Relative difference of weights that is rounding of another machine, not another answer."""


@dataclass(frozen=True)
class Remade:
    """A recorded decision beside one that was made now.

    Attributes:
        moment: the recorded one, and what was known.
        decision: made now; ``None`` where none could be.
        problem: why there is none, "" otherwise.
    """

    moment: Moment
    decision: Decision | None
    problem: str = ""

    @property
    def same(self) -> bool:
        """Whether the same stage would be trained: equal weights, from the same state, on the same window of data."""
        then, now = self.moment.decision, self.decision
        if now is None:
            return False
        place = (then.restart_from, then.replicate) == (now.restart_from, now.replicate)
        return place and _equal(then.weights, now.weights)


def remake(recording: Recording, agent: Agent | None = None) -> tuple[Remade, ...]:
    """Makes every decision again: people's requests and deadlines as recorded, agents' by ``agent``.

    Recorded exchanges are given back; no model is asked, and a question without one makes the decision fail.

    Args:
        recording: the run.
        agent: the agent that decided; by default the one that its settings describe.

    Raises:
        Refused: the settings of the agent were not recorded.
    """
    if agent is None:
        settings = recording.settings
        if settings is None or isinstance(settings.agent, str):
            name = recording.moments[-1].told.agent
            raise Refused(
                f"{recording.path} was written by a loop of your own, whose agent ({name!r}) is an object of yours: "
                "its settings are not in the folder. Name one: --agent KIND or SETTINGS."
            )
        # A loop may bring its language model as an object: what it answered is recorded all the same.
        asks = settings.chat is not None or any(e.messages for e in recording.exchanges)
        agent = create(settings.agent, OnlyRecorded(recording.exchanges) if asks else None)
    return tuple(_remade(moment, agent) for moment in recording.moments)


def counterfactual(recording: Recording, agent: Agent) -> tuple[Remade, ...]:
    """What another agent would have answered at each decision, on the same trajectory.

    The first stage is under the initial weights whoever decides; where people decided, the other agent is asked at
    the state where the run stood.

    Args:
        recording: the run.
        agent: the other agent; give it an :class:`OnlyRecorded` or another chat model if it asks one.

    Raises:
        Refused: the agent needs restarts or a utility that are not to be had, or a language model and has none.
    """
    told = recording.moments[-1].told
    if agent.needs_restart and not told.can_restart:
        raise Refused(f"agent {agent.name!r} restarts from earlier states, and the trainer of this run could not.")
    if agent.needs_utility:
        told.goal.require_utility(f"agent {agent.name!r}")
    return tuple(_imagined(moment, agent) for moment in recording.moments)


def _remade(moment: Moment, agent: Agent) -> Remade:
    try:
        return Remade(moment, next_decision(moment.told, moment.trajectory, agent, _recorded(moment)))
    except LossAgentError as error:
        return Remade(moment, None, str(error))


def _imagined(moment: Moment, agent: Agent) -> Remade:
    trajectory, told = moment.trajectory, moment.told
    if moment.decision.author == INITIAL:
        return Remade(moment, moment.decision)
    answer = agent.decide(view_of(told, trajectory, trajectory.head), forget)
    return Remade(moment, settled(answer, trajectory, told.bounds, told.can_restart))


def _recorded(moment: Moment) -> Callable[[str], Recall]:
    """prefix -> the recorded exchanges under it."""

    def under(prefix: str) -> Recall:
        def recall(key: str, make: Callable[[], Exchange]) -> Exchange:
            del make
            known = moment.exchanges.get(prefix + key)
            if known is None:
                raise Refused(f"the exchange {prefix + key!r} of state {moment.state} is not recorded.")
            return known

        return recall

    return under


def _equal(a: Weights, b: Weights) -> bool:
    if a.names != b.names or a.off != b.off:
        return False
    return all(math.isclose(a.magnitudes[n], b.magnitudes[n], rel_tol=SAME, abs_tol=0.0) for n in a.names)
