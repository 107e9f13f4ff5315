"""The records of a run: states, decisions, events, and the trajectory folded from them.

Words: a *state* S_i is the network after a stage (S_0 before any); a *stage* is the transition
S_{i-1} -> S_i under one weight vector w^i. Each state names its parent, so a trajectory is a tree;
the paper's {S_0 .. S_i} is a path of it. The truth is the event log, one JSON object a line.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from lossagent.feedback import Feedback
from lossagent.weights import Weights


class Record(BaseModel):
    """A frozen value that refuses unknown keys."""

    # NaN and infinity survive a round trip: a diverged loss is a fact worth keeping.
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")


class Message(Record):
    """One message of a chat."""

    role: Literal["system", "user", "assistant"]
    content: str


class Exchange(Record):
    """One question to a language model or a person, and what became of the answer.

    Attributes:
        key: names the question within its state, e.g. ``"pooled/0"`` or ``"image:baboon/1"`` (try 1).
        author: who was asked (model name).
        image: the feedback image it was about, ``None`` when pooled.
        messages: the prompts.
        raw: the answer as it came, ``None`` if none did.
        problem: why it was not usable, ``None`` if it was.
        weights: what was read from it.
        thoughts: its reasons; displayed only.
        finish: ``"stop"``, or ``"length"`` where the answer was cut off.
        prompt_tokens, completion_tokens: as counted by the model, 0 where unknown.
        seconds: wall-clock time.
    """

    key: str
    author: str
    image: str | None = None
    messages: tuple[Message, ...] = ()
    raw: str | None = None
    problem: str | None = None
    weights: Weights | None = None
    thoughts: str = ""
    finish: str = "stop"
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0


class Decision(Record):
    """What an agent answers: the weights of the next stage, eq. (6), and where it starts from.

    Attributes:
        author: the agent (``"initial"`` for the first stage, ``"human"`` for an override).
        proposed: what the agent asked for.
        weights: what is trained with, after bounds.
        restart_from: id of the state that the stage starts from.
        replicate: index of the data window, > 0 for a deliberate repetition.
        thoughts: reasons in words; displayed only, never followed.
        adjusted_by: what changed the proposal, in order: ``"bounds"``, ``"rollback"``, ``"fallback"``, ...
        exchanges: keys of the exchanges behind it, in the order they were made.
        asked, failed: how many questions were asked, and how many of their answers were unusable.
    """

    author: str
    proposed: Weights
    weights: Weights
    restart_from: int
    replicate: int = 0
    thoughts: str = ""
    adjusted_by: tuple[str, ...] = ()
    exchanges: tuple[str, ...] = ()
    asked: int = 0
    failed: int = 0


class Evidence(Record):
    """Gradients and raw losses of one state, on fixed training batches, taken in evaluation mode.

    Attributes:
        raw: loss name -> L_m, unweighted; switched-off losses included.
        image_norms: loss name -> Euclidean norm of dL_m/d(restored image), unweighted.
        layer_norms: loss name -> norm of dL_m/d(parameters of the last layer), unweighted.
        cosines: "a|b" -> cosine between the image-side gradients of two losses.
    """

    raw: dict[str, float] = {}
    image_norms: dict[str, float] = {}
    layer_norms: dict[str, float] = {}
    cosines: dict[str, float] = {}

    def shares(self, weights: Weights) -> dict[str, float]:
        """Gradient share of each loss: w_m |dL_m/dx| over the sum of such norms; in [0, 1]."""
        parts = {n: weights[n] * norm for n, norm in self.image_norms.items() if n in weights.magnitudes}
        total = sum(parts.values())
        return {n: part / total if total > 0 else 0.0 for n, part in parts.items()}


class StageReport(Record):
    """What training a stage left behind; everything on disk before it is recorded.

    Attributes:
        iterations: optimizer steps that count in the budget (skipped ones included).
        losses: loss name -> mean raw value over the stage, for losses that were on.
        evidence: gradients and raw losses at the end.
        checkpoint: sha256 of the restorer's weights, ``None`` for foreign loops.
        images: image name -> sha256 of the restored PNG's pixels.
        skipped: iterations whose step was skipped for a non-finite loss or gradient.
        clipped: iterations in which gradient clipping was active.
        seconds, waited: wall-clock training time, and the part of it spent waiting for data.
        extra: discriminator health and other plain numbers.
    """

    iterations: int = 0
    losses: dict[str, float] = {}
    evidence: Evidence = Evidence()
    checkpoint: str | None = None
    images: dict[str, str] = {}
    skipped: int = 0
    clipped: int = 0
    seconds: float = 0.0
    waited: float = 0.0
    extra: dict[str, float] = {}


class State(Record):
    """S_i: where it came from, under which weights, and what was said of it.

    Attributes:
        id: number of the state in the order of decisions; 0 is S_0.
        parent: the state it was trained from, ``None`` for S_0.
        depth: stages from S_0.
        decision: the decision behind it, ``None`` for S_0.
        report: ``None`` until trained.
        feedback: ``None`` until scored.
        restorable: whether a stage can start from it (its checkpoint was not pruned).
    """

    id: int
    parent: int | None
    depth: int
    decision: Decision | None = None
    report: StageReport | None = None
    feedback: Feedback | None = None
    score_seconds: float = 0.0
    restorable: bool = True

    @property
    def weights(self) -> Weights | None:
        """w^i, the weights under which it was reached; ``None`` for S_0."""
        return self.decision.weights if self.decision is not None else None

    @property
    def name(self) -> str:
        """Folder name: ``state-0007``."""
        return f"state-{self.id:04d}"


class Event(Record):
    """Base of the lines of the event log.

    Attributes:
        time: seconds since the epoch; a time field, left out of comparisons.
    """

    time: float = 0.0


class Started(Event):
    """A run began: what is needed to fold the rest."""

    kind: Literal["started"] = "started"
    run: str
    initial: Weights
    stages: int
    environment: dict[str, str | int | float | bool | None] = {}


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


class Resumed(Event):
    """The run goes on after an interruption."""

    kind: Literal["resumed"] = "resumed"
    environment: dict[str, str | int | float | bool | None] = {}


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
    Started | Answered | Decided | Trained | Scored | Pruned | Rewound | Retold | Resumed | Warned | Finished,
    Field(discriminator="kind"),
]
EVENTS: TypeAdapter[AnyEvent] = TypeAdapter(AnyEvent)


@dataclass(frozen=True)
class Stage:
    """A stage to train, or S_0 to take.

    Attributes:
        state: id of the state that it leads to.
        parent: id of the state it starts from, ``None`` for S_0.
        depth: stages from S_0; with ``replicate`` it names the window of training data.
        weights: w^i, ``None`` for S_0.
        replicate: > 0 for a deliberate repetition with other data.
        report: the report of a stage that is trained already and only has to be scored.
    """

    state: int
    parent: int | None
    depth: int
    weights: Weights | None
    replicate: int = 0
    report: StageReport | None = None

    @property
    def name(self) -> str:
        """Folder name of the state: ``state-0007``."""
        return f"state-{self.state:04d}"


@dataclass(frozen=True)
class Trajectory:
    """A tree of states: a pure fold of the event log.

    Attributes:
        states: in the order of decisions; ``states[0]`` is S_0.
        initial: the weights of the first stage, the paper's w^1.
        stages: how many stages were asked for.
        head: id of the state that comes next unless an agent restarts elsewhere.
        finished: the last event, if the run is over.
    """

    states: tuple[State, ...]
    initial: Weights
    stages: int
    head_id: int = 0
    finished: Finished | None = None

    @classmethod
    def fold(cls, events: Iterable[AnyEvent]) -> Trajectory:
        """The trajectory that a log of events describes."""
        states: dict[int, State] = {0: State(id=0, parent=None, depth=0)}
        initial: Weights | None = None
        stages, head, finished = 0, 0, None
        for event in events:
            match event:
                case Started():
                    initial, stages = event.initial, event.stages
                case Decided(state=i, decision=decision):
                    parent = states[decision.restart_from]
                    states[i] = State(id=i, parent=parent.id, depth=parent.depth + 1, decision=decision)
                case Trained(state=i, report=report):
                    states[i] = states[i].model_copy(update={"report": report})
                    head = i
                case Scored(state=i, feedback=feedback, seconds=seconds):
                    states[i] = states[i].model_copy(update={"feedback": feedback, "score_seconds": seconds})
                case Pruned(state=i):
                    states[i] = states[i].model_copy(update={"restorable": False})
                case Rewound(state=i) | Retold(state=i):
                    head = i
                case Finished():
                    finished = event
                case _:
                    pass
        if initial is None:
            raise ValueError("an event log begins with a 'started' event; found none")
        return cls(tuple(states[i] for i in sorted(states)), initial, stages, head, finished)

    @property
    def start(self) -> State:
        """S_0."""
        return self.states[0]

    @property
    def head(self) -> State:
        """The state that training last reached (or was rewound to)."""
        return self.states[self.head_id]

    @property
    def last(self) -> State:
        """The newest state."""
        return self.states[-1]

    @property
    def scored(self) -> tuple[State, ...]:
        """States with feedback."""
        return tuple(s for s in self.states if s.feedback is not None)

    @property
    def iterations(self) -> int:
        """Optimizer steps spent, rejected stages included."""
        return sum(s.report.iterations for s in self.states if s.report is not None)

    def path(self, state: int) -> tuple[State, ...]:
        """S_0 .. the state, through its ancestors."""
        path = [self.states[state]]
        while (parent := path[-1].parent) is not None:
            path.append(self.states[parent])
        return tuple(reversed(path))

    def children(self, state: int) -> tuple[State, ...]:
        """States trained from a state."""
        return tuple(s for s in self.states if s.parent == state)

    def weights_at(self, state: int) -> Weights:
        """The weights under which a state was reached; the initial ones for S_0."""
        return self.states[state].weights or self.initial
