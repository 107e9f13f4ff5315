"""What can be chosen about the hybrid agent."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from lossagent.agents.llm.formats import Thoughts
from lossagent.agents.llm.options import EvidenceOptions, LLMOptions

LOSSES_ONLY = EvidenceOptions.none().model_copy(update={"losses": True})
"""What a short prompt says beside weights and scores: one line on each loss, which the numbers do not hold."""


class HybridOptions(BaseModel):
    """Where candidates come from, how the language model is asked, and how much its preference counts.

    Attributes:
        source: ``respond``: what the response model proposes (what it expects most of, keeping the weights, an
            optimistic choice, draws from its posterior); ``moves``: keeping the weights, and raising or lowering one or
            two of them by ``step``.
        candidates: how many at most; with ``ask: pairs`` K of them cost K (K - 1) short questions.
        step: factor of one move, > 1.
        ask: ``pairs``: two candidates at a time, in both orders, scored by the log-probability of the answer, for
            small models; ``choice``: one question that lists them all, answered in words, for large ones.
        trust_llm: standard deviations of its predicted gain by which the language model's preference can raise or
            lower a candidate; ``all``: its preference alone decides.
        thoughts: reasons. For a choice before or after the letter, in one answer; for pairs ``last`` asks one further
            short question after all others. ``None`` is ``first`` for a choice, ``off`` for pairs.
        history: the last k states in the prompts, or ``all``; the predictions digest all of them.
        evidence: what the prompts say beside weights and scores.
        retries: further tries after a choice that cannot be used.
        deadline: seconds for one question.
        total: seconds for all questions of one decision.
        prompt_limit: tokens of a prompt; above it the history is summarised, and that is recorded.
        max_tokens: tokens of an answer in words.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Literal["respond", "moves"] = "respond"
    candidates: int = Field(default=4, ge=2, le=6)
    step: float = Field(default=2.0, gt=1, le=1000)
    ask: Literal["pairs", "choice"] = "pairs"
    trust_llm: Literal["all"] | Annotated[float, Field(gt=0, le=100)] = 1.0
    thoughts: Thoughts | None = None
    history: Literal["all"] | Annotated[int, Field(ge=1)] = 4
    evidence: EvidenceOptions = LOSSES_ONLY
    retries: int = Field(default=2, ge=0, le=20)
    deadline: float = Field(default=120.0, gt=0)
    total: float = Field(default=900.0, gt=0)
    prompt_limit: int = Field(default=3500, ge=200)
    max_tokens: int = Field(default=256, ge=16, le=8192)

    @field_validator("thoughts", mode="before")
    @classmethod
    def _off(cls, value: Any) -> Any:  # noqa: ANN401  (raw YAML, which reads a bare off as false)
        return "off" if value is False else value

    @model_validator(mode="after")
    def _valid(self) -> HybridOptions:
        if self.ask == "pairs" and self.thoughts == "first":
            raise ValueError("answers to pairs are single letters: thoughts must be last or off; found first")
        return self

    @property
    def reasons(self) -> Thoughts:
        """``thoughts``, or what stands for it."""
        return self.thoughts or ("first" if self.ask == "choice" else "off")

    @property
    def prompting(self) -> LLMOptions:
        """The same, as the language-model agent's prompts are written and asked."""
        return LLMOptions(
            query="pooled",
            answer="choice",
            thoughts=self.reasons,
            history=self.history,
            example=False,
            retries=self.retries,
            step=self.step,
            evidence=self.evidence,
            deadline=self.deadline,
            total=self.total,
            prompt_limit=self.prompt_limit,
            max_tokens=self.max_tokens,
        )
