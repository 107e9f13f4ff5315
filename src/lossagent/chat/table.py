"""Chat models by name, as an experiment file writes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, assert_never, cast

from pydantic import BaseModel, ConfigDict, Field, model_validator

from lossagent.chat._constraint import Mode
from lossagent.chat.base import ChatModel
from lossagent.chat.embedded import Embedded
from lossagent.chat.replay import Replay
from lossagent.chat.scripted import Scripted
from lossagent.chat.server import OpenAICompatible


class Hiding(BaseModel):
    """Settings beside which somebody may write a key: what is unknown is refused without being printed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _hide_unknown(cls, values: object) -> object:
        """Somebody will write a key in here; it is refused as unknown, and the message must not print it."""
        if not isinstance(values, Mapping):
            return values
        given = cast("Mapping[str, object]", values)
        return {k: v if k in cls.model_fields else "(hidden)" for k, v in given.items()}


class EmbeddedSettings(Hiding):
    """A small model in this process, on the CPU; see :class:`lossagent.chat.Embedded`."""

    kind: Literal["embedded"] = "embedded"
    model: str = "smollm2-135m-instruct"
    context: int = Field(4096, ge=256)
    threads: int | None = Field(None, ge=1)
    temperature: float = Field(0.7, ge=0, allow_inf_nan=False)
    repeatable: bool = True
    batch: int = Field(128, ge=1)


class ServerSettings(Hiding):
    """A server that speaks the OpenAI chat protocol; see :class:`lossagent.chat.OpenAICompatible`.

    The key itself has no place here: ``key_env`` names a variable.
    """

    kind: Literal["server"] = "server"
    base_url: str
    model: str = Field(min_length=1)
    key_env: str | None = "OPENAI_API_KEY"
    answer_mode: Mode | Literal["auto"] = "auto"
    temperature: float | None = Field(0.7, ge=0, allow_inf_nan=False)
    limit_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    timeout: float = Field(120.0, gt=0, allow_inf_nan=False)
    retries: int = Field(4, ge=0)
    max_total_tokens: int | None = Field(None, ge=1)
    max_cost: float | None = Field(None, gt=0, allow_inf_nan=False)
    prompt_price: float | None = Field(None, ge=0, allow_inf_nan=False)
    completion_price: float | None = Field(None, ge=0, allow_inf_nan=False)


class ScriptedSettings(Hiding):
    """Replies that stand in the file, for tests; see :class:`lossagent.chat.Scripted`.

    A question's seed picks its reply, so a resumed run gets the same ones.

    Attributes:
        replies: what is answered; the question's seed modulo their number picks one.
    """

    kind: Literal["scripted"] = "scripted"
    replies: tuple[str, ...] = Field(min_length=1)
    name: str = "scripted"


class ReplaySettings(Hiding):
    """The answers of a recorded run; see :class:`lossagent.chat.Replay`.

    Attributes:
        run: folder of the recorded run.
    """

    kind: Literal["replay"] = "replay"
    run: Path
    name: str = "replay"


ChatSettings = Annotated[
    EmbeddedSettings | ServerSettings | ScriptedSettings | ReplaySettings, Field(discriminator="kind")
]
"""Which language model is asked; chosen by ``kind``, unknown keys refused."""


def create(settings: EmbeddedSettings | ServerSettings | ScriptedSettings | ReplaySettings) -> ChatModel:
    """The chat model that settings describe. Nothing is loaded or connected yet.

    Raises:
        Refused: settings that cannot work together, or a folder without recorded exchanges.
    """
    match settings:
        case EmbeddedSettings():
            return Embedded(
                settings.model,
                context=settings.context,
                threads=settings.threads,
                temperature=settings.temperature,
                repeatable=settings.repeatable,
                batch=settings.batch,
            )
        case ServerSettings():
            return OpenAICompatible(
                settings.base_url,
                settings.model,
                key_env=settings.key_env,
                answer_mode=settings.answer_mode,
                temperature=settings.temperature,
                limit_field=settings.limit_field,
                timeout=settings.timeout,
                retries=settings.retries,
                max_total_tokens=settings.max_total_tokens,
                max_cost=settings.max_cost,
                prompt_price=settings.prompt_price,
                completion_price=settings.completion_price,
            )
        case ScriptedSettings():
            replies = settings.replies
            return Scripted(lambda messages, seed: replies[seed % len(replies)], settings.name)
        case ReplaySettings():
            return Replay.from_folder(settings.run, settings.name)
        case _:
            assert_never(settings)
