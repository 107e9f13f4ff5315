"""What can be chosen about the language-model agent; each switch is an ablation."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from lossagent.agents.llm.formats import Thoughts


class EvidenceOptions(BaseModel):
    """What the prompts say beside weights and scores; none of it is in the paper's.

    The last four are off unless they are asked for.

    Attributes:
        raw: raw loss values now and one stage earlier.
        shares: gradient share of each loss.
        noise: noise of the score, and whether the last change exceeds it.
        best: the best state so far.
        guards: scores of the metrics that are watched.
        ceiling: score of the ground truth.
        alarm: that the score rises while watched metrics fall beyond their noise, or is beyond the ground truth's.
        losses: one line on what each loss does.
        health: discriminator health and other numbers of the trainer.
        trends: slope of each score and raw loss over the path to here, with its 95 % interval.
        response: what doubling each weight is expected to do, and how sure that is; with ``answer: choice`` what each
            option is expected to do.
        helped: the latest moves, restated in the direction that helped, in units of the noise.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    raw: bool = True
    shares: bool = True
    noise: bool = True
    best: bool = True
    guards: bool = True
    ceiling: bool = True
    alarm: bool = True
    losses: bool = True
    health: bool = False
    trends: bool = False
    response: bool = False
    helped: bool = False

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:  # noqa: ANN401  (raw YAML)
        """``evidence: false`` and ``evidence: true`` stand for all switches."""
        return dict.fromkeys(cls.model_fields, value) if isinstance(value, bool) else value

    @classmethod
    def none(cls) -> EvidenceOptions:
        """The paper's prompts: weights and scores alone."""
        return cls(**dict.fromkeys(cls.model_fields, False))


class LLMOptions(BaseModel):
    """How the language model is asked. The defaults suit a small model; :meth:`paper` is the paper's agent.

    Attributes:
        query: one question for each feedback image and the mean of the answers, or one with the mean scores.
        answer: form of the answer: the paper's line, JSON numbers, JSON moves (lower, keep, raise), or the choice of
            one of several listed weight vectors.
        thoughts: whether the reasons come first, last or not at all; ``None`` is the form's own order (last in the
            paper's line, first in JSON).
        direction: whether the prompts say which way of the score is better (Table 7): ``system_off`` drops it from
            the system prompt, ``all_off`` from the customised needs too.
        history: ``all`` or the last k states with their weights and scores (Table 8: 2).
        example: whether the needs show an example of the form (Table 9).
        constrain: whether the engine is handed a grammar or schema.
        retries: further tries after an answer that cannot be used, the problem quoted (Table 9: 0).
        step: factor of one move, > 1, in moves and in the options of a choice.
        switch: whether moves may switch losses off (and on again).
        share: whether questions about single images begin with all that they have in common and end with the image's
            own scores, so that an engine with a prefix cache reads the common part once. The paper's order, which
            puts the scores beside the weights, shares nothing but the system prompt.
        evidence: what the prompts say beside weights and scores.
        deadline: seconds for one question.
        total: seconds for all questions of one decision; what is left over is not asked, and recorded.
        prompt_limit: tokens of the prompts; above it the history is summarised, and that is recorded.
        thoughts_limit: characters of the reasons that an engine with a grammar may write.
        max_tokens: tokens of an answer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    query: Literal["per_image", "pooled"] = "pooled"
    answer: Literal["pattern", "json", "moves", "choice"] = "moves"
    thoughts: Thoughts | None = None
    direction: Literal["on", "system_off", "all_off"] = "on"
    history: Literal["all"] | Annotated[int, Field(ge=1)] = "all"
    example: bool = True
    constrain: bool = True
    retries: int = Field(default=2, ge=0, le=20)
    step: float = Field(default=2.0, gt=1, le=1000)
    switch: bool = False
    share: bool = False
    evidence: EvidenceOptions = EvidenceOptions()
    deadline: float = Field(default=120.0, gt=0)
    total: float = Field(default=900.0, gt=0)
    prompt_limit: int = Field(default=3500, ge=200)
    thoughts_limit: int = Field(default=160, ge=1, le=1000)
    max_tokens: int = Field(default=256, ge=16, le=8192)

    @field_validator("thoughts", mode="before")
    @classmethod
    def _off(cls, value: Any) -> Any:  # noqa: ANN401  (raw YAML, which reads a bare off as false)
        return "off" if value is False else value

    @classmethod
    def paper(cls) -> LLMOptions:
        """The paper's agent (section 3.4, appendix A.3), one question an image [inferred from its numbers]."""
        return cls(
            query="per_image",
            answer="pattern",
            constrain=False,
            evidence=EvidenceOptions.none(),
            max_tokens=512,
        )
