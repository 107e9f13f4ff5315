"""The records of a run: frozen values that survive a round trip through JSON.

Words: a *state* S_i is the network after a stage (S_0 before any); a *stage* is the transition
S_{i-1} -> S_i under one weight vector w^i. Each state names its parent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict

from lossagent.feedback import Feedback
from lossagent.weights import Weights


class Record(BaseModel):
    """A frozen value that refuses unknown keys."""

    # NaN and infinity survive a round trip: a diverged loss is a fact worth keeping.
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")


class Message(Record):
    """One message of a chat.

    Attributes:
        role: who speaks.
        content: the words.
        images: pictures that go with them: data URLs when sent, ``NAME (sha256)`` in a recorded exchange.
    """

    role: Literal["system", "user", "assistant"]
    content: str
    images: tuple[str, ...] = ()


REVIEW = "review/"
"""Keys of exchanges with reviewers begin so; those of agents do not."""


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


Recall = Callable[[str, Callable[[], Exchange]], Exchange]
"""(key, make) -> exchange: makes an exchange once; a recorded one of that key is returned without asking again."""


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
        judged: how many judgements of people were known when it was made.
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
    judged: int = 0


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
