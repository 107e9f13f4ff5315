"""Reviewers that say in words what they see in the feedback images."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from lossagent.chat.table import Hiding, ServerSettings
from lossagent.objectives.co_instruct import PUBLISHED, Precision
from lossagent.objectives.questions import ReviewOptions


class DescriberSettings(Hiding):
    """The built-in describer, which measures defects and needs no model.

    Attributes:
        images: how many images get a remark of their own beside the one on the whole set, the worst first; ``null``
            for all.
    """

    kind: Literal["describer"] = "describer"
    images: int | None = Field(default=3, ge=0)


class ServerReviewerSettings(ServerSettings, ReviewOptions):
    """A vision model behind a server that speaks the OpenAI chat protocol.

    Attributes:
        temperature: of sampling; ``null`` leaves it to the server (some models refuse any).
    """

    temperature: float | None = Field(default=0.2, ge=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _samples(self) -> ServerReviewerSettings:
        if self.samples > 1 and self.temperature == 0:
            raise ValueError(
                f"samples would all be the same without a temperature; found samples: {self.samples}, temperature: 0"
            )
        return self


class CoInstructSettings(Hiding, ReviewOptions):
    """Co-Instruct, the paper's reviewer, in this process.

    Attributes:
        model: a folder, or a name whose files are in the hub's cache.
        revision: commit of the files in the hub's cache.
        trust_remote_code: must be said: the Python files that come with the weights are executed.
        device: where it runs, ``null`` for where training does.
        precision: ``auto`` is float16 on an accelerator and float32 on the CPU.
        temperature: of sampling, ``null`` for the likeliest words.
    """

    kind: Literal["co-instruct"] = "co-instruct"
    model: str = Field(default=PUBLISHED, min_length=1)
    revision: str | None = None
    trust_remote_code: bool = False
    device: str | None = None
    precision: Precision = "auto"
    temperature: float | None = Field(default=None, gt=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _samples(self) -> CoInstructSettings:
        if self.samples > 1 and self.temperature is None:
            raise ValueError(
                f"samples would all be the same without a temperature; found samples: {self.samples}, temperature: null"
            )
        return self


ReviewerSettings = Annotated[
    DescriberSettings | ServerReviewerSettings | CoInstructSettings, Field(discriminator="kind")
]
"""Who looks at the feedback images; chosen by ``kind``, unknown keys refused."""
