"""The events of a run, one JSON object a line: the log of them is the truth."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from lossagent.feedback import Feedback, MetricFacts, Remark
from lossagent.goal import Goal
from lossagent.judgements import Judgement, Purpose, Task
from lossagent.letters import Request
from lossagent.records import Decision, Record, StageReport
from lossagent.weights import Bounds, Weights

Facts = dict[str, str | int | float | bool | None]
"""Plain facts of a machine: versions, threads, device."""


class Event(Record):
    """Base of the lines of the event log.

    Attributes:
        time: seconds since the epoch; a time field, left out of comparisons.
    """

    time: float = 0.0


class Told(Record):
    """What an agent is told beside the trajectory: with it and the log, every decision can be made again.

    Attributes:
        agent: its name.
        goal, bounds, metrics, seed, stage_iterations, tolerance, ceiling, loss_facts, fixed: see
            :class:`lossagent.agents.base.View`.
        guards: names of metrics that are watched, not steered by; sorted.
        can_restart: whether the trainer can start a stage from an earlier state.
    """

    agent: str
    goal: Goal
    bounds: Bounds
    metrics: dict[str, MetricFacts] = Field(default={})
    seed: int = 0
    stage_iterations: int = 1
    tolerance: dict[str, float] = Field(default={})
    ceiling: dict[str, float] = Field(default={})
    loss_facts: dict[str, str] = Field(default={})
    guards: tuple[str, ...] = ()
    fixed: dict[int, Feedback] = Field(default={})
    can_restart: bool = False


class Started(Event):
    """A run began: what is needed to fold the rest, and to make its decisions again.

    Attributes:
        told: what the agent is told.
    """

    kind: Literal["started"] = "started"
    run: str
    initial: Weights
    stages: int
    environment: Facts = Field(default_factory=Facts)
    told: Told


class Answered(Event):
    """An exchange is on disk; a resume reuses it."""

    kind: Literal["answered"] = "answered"
    state: int
    key: str
    usable: bool
    tokens: int = 0
    seconds: float = 0.0


class Decided(Event):
    """A decision is on disk, before its stage starts."""

    kind: Literal["decided"] = "decided"
    state: int
    decision: Decision


class Trained(Event):
    """A checkpoint and restored images are on disk, before anything is scored."""

    kind: Literal["trained"] = "trained"
    state: int
    report: StageReport


class Scored(Event):
    """Feedback on a state is there."""

    kind: Literal["scored"] = "scored"
    state: int
    feedback: Feedback
    seconds: float = 0.0


class Pruned(Event):
    """A checkpoint was deleted; no stage can start from the state any more."""

    kind: Literal["pruned"] = "pruned"
    state: int


class Rewound(Event):
    """A foreign loop came back with an earlier state than the last one: it goes over the recorded path again."""

    kind: Literal["rewound"] = "rewound"
    state: int


class Retold(Event):
    """A state was told again, by a loop that went over it a second time; the first record stands.

    Attributes:
        difference: what the second telling said that the first did not, "" if nothing.
    """

    kind: Literal["retold"] = "retold"
    state: int
    difference: str = ""


class Asked(Event):
    """People are asked about a state.

    Attributes:
        deadline: seconds since the epoch after which the run goes on without answers, ``None`` for never.
    """

    kind: Literal["asked"] = "asked"
    state: int
    purpose: Purpose = "feedback"
    tasks: tuple[Task, ...]
    deadline: float | None = None


class Rated(Event):
    """A person has answered."""

    kind: Literal["rated"] = "rated"
    judgement: Judgement


class Commented(Event):
    """A person has said something about a state, unasked."""

    kind: Literal["commented"] = "commented"
    state: int
    remark: Remark
    letter: str


class Closed(Event):
    """The run goes on from what it asked people; later answers still count for strengths."""

    kind: Literal["closed"] = "closed"
    state: int
    purpose: Purpose = "feedback"
    unanswered: bool = False


class Requested(Event):
    """A person steers by hand; read at a stage boundary."""

    kind: Literal["requested"] = "requested"
    letter: str
    request: Request


class Ignored(Event):
    """A letter was refused."""

    kind: Literal["ignored"] = "ignored"
    letter: str
    reason: str


class Waited(Event):
    """The process ended to wait for people."""

    kind: Literal["waited"] = "waited"
    text: str


class Resumed(Event):
    """The run goes on after an interruption.

    Attributes:
        told: what the agent is told from here on, where that has changed.
    """

    kind: Literal["resumed"] = "resumed"
    environment: Facts = Field(default_factory=Facts)
    told: Told | None = None


class Warned(Event):
    """Something a reader of the run should know."""

    kind: Literal["warned"] = "warned"
    text: str


class Finished(Event):
    """The run is over.

    Attributes:
        selected: the state chosen on the selection set, or the last one.
        rule: how it was chosen, in words.
    """

    kind: Literal["finished"] = "finished"
    selected: int
    rule: str


AnyEvent = Annotated[
    Started
    | Answered
    | Decided
    | Trained
    | Scored
    | Pruned
    | Rewound
    | Retold
    | Asked
    | Rated
    | Commented
    | Closed
    | Requested
    | Ignored
    | Waited
    | Resumed
    | Warned
    | Finished,
    Field(discriminator="kind"),
]
EVENTS: TypeAdapter[AnyEvent] = TypeAdapter(AnyEvent)
