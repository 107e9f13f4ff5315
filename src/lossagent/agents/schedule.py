"""Weights that follow a plan made beforehand: a function of the depth of the stage, of nothing that is measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from lossagent.agents.base import Agent, Recall, View
from lossagent.agents.plans import Plan, Ramp, Steps, Table
from lossagent.agents.settings import AgentOptions
from lossagent.chat.base import ChatModel
from lossagent.records import Decision
from lossagent.weights import Weights

Shape = Literal["linear", "cosine", "step", "table"]


@dataclass(frozen=True)
class Schedule:
    """w^i is the plan's row for depth i, whatever was measured.

    The depth is that of the stage that is to be trained: S_0 is 0, and a restart from an earlier state repeats its
    place in the plan. The bounds of the run still apply, the trust region too.

    Attributes:
        plan: the weights of every stage.
    """

    plan: Plan
    name: str = "schedule"
    needs_restart: bool = False
    needs_utility: bool = False

    def decide(self, view: View, recall: Recall) -> Decision:
        """The plan's weights, from the head.

        Raises:
            Refused: the plan does not fit the losses of the run.
        """
        del recall
        trajectory = view.trajectory
        self.plan.fit(trajectory.initial)
        values = self.plan.at(view.head.depth + 1, trajectory.stages, trajectory.initial)
        weights = Weights.of(values, keep=view.previous)
        return Decision(author=self.name, proposed=weights, weights=weights, restart_from=view.head.id)


def _plain(value: object) -> object:
    """Weights by name; the text form is read."""
    return Weights.parse(value).values() if isinstance(value, str) else value


Numbers = Annotated[dict[str, float], BeforeValidator(_plain)]


class ScheduleSettings(AgentOptions):
    """A plan made beforehand; weights are given by name, or as ``l1:gan=1.0:0.1``.

    Attributes:
        shape: ``linear`` and ``cosine`` move to ``end``, ``step`` multiplies by ``factors``, ``table`` lists weights.
        end: weights of the last stage, of ``linear`` and ``cosine``.
        factors: stage -> factors from that stage on, of ``step``.
        table: weights of stage 1, 2, ..., of ``table``.
    """

    kind: Literal["schedule"] = "schedule"
    shape: Shape
    end: Numbers = Field(default={})
    factors: dict[int, Numbers] = Field(default={})
    table: tuple[Numbers, ...] = ()

    @model_validator(mode="after")
    def _valid(self) -> ScheduleSettings:
        given = {key for key in ("end", "factors", "table") if getattr(self, key)}
        wanted = {"step": "factors", "table": "table"}.get(self.shape, "end")
        if given != {wanted}:
            found = ", ".join(sorted(given)) or "none"
            raise ValueError(f"a schedule of shape {self.shape!r} needs {wanted!r} and nothing else; found {found}")
        self.plan()
        return self

    def plan(self) -> Plan:
        """What it comes to."""
        match self.shape:
            case "step":
                return Steps(self.factors)
            case "table":
                return Table(self.table)
            case "linear" | "cosine":
                return Ramp(self.end, self.shape)

    def fits(self, initial: Weights) -> None:
        """The plan is of the run's losses."""
        self.plan().fit(initial)

    def bare(self, chat: ChatModel | None) -> Agent:
        """Needs nothing."""
        del chat
        return Schedule(self.plan())
