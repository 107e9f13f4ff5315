"""Reads what a chat server sends: foreign bytes, so nothing in them is taken for granted."""

from __future__ import annotations

import email.utils
import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lossagent.chat.neutral import quote


@dataclass(frozen=True)
class Answer:
    """The parts of a chat completion that are used.

    Attributes:
        text: the words, valid Unicode.
        finish: ``"stop"`` or ``"length"``.
        model: name the server gives its model, ``None`` if it gives none.
        usage: (prompt tokens, completion tokens), ``None`` if not reported.
        first: the most likely first tokens, each with its log-probability; empty where none are told.
    """

    text: str
    finish: str
    model: str | None
    usage: tuple[int, int] | None
    first: tuple[tuple[str, float], ...] = ()


class Unreadable(ValueError):
    """The body is no chat completion; the message says why."""


def read_answer(body: bytes) -> Answer:
    """Reads a ``chat.completion`` object; unknown keys are passed over.

    Raises:
        Unreadable: empty, no JSON, truncated, or without a text.
    """
    if not body.strip():
        raise Unreadable("the body is empty")
    try:
        whole = json.loads(body)
    except (ValueError, RecursionError):
        raise Unreadable(f"the body is no JSON or was cut off; it begins {_start(body)}") from None
    choices = _get(whole, "choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = _get(choice, "message")
    if message is None:
        raise Unreadable(f"the body has no choices[0].message; it begins {_start(body)}")
    finish = _get(choice, "finish_reason")
    if finish == "content_filter":
        raise Unreadable("the server's content filter stopped the answer")
    text = _get(message, "content")
    if text is None and finish == "length":
        text = ""  # a model that was cut off while still thinking
    if not isinstance(text, str):
        raise Unreadable("choices[0].message.content is no text")
    # JSON can hold halves of surrogate pairs, which no file can.
    text = text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    name = _get(whole, "model")
    return Answer(
        text=text,
        finish="length" if finish == "length" else "stop",
        model=quote(name, 100) if isinstance(name, str) and name else None,
        usage=_usage(_get(whole, "usage")),
        first=first_tokens(_get(choice, "logprobs")),
    )


def first_tokens(logprobs: object) -> tuple[tuple[str, float], ...]:
    """The most likely first tokens of a choice's ``logprobs``: chats list objects, older servers map token to number.

    What has another form is passed over.
    """
    content = _get(logprobs, "content")
    tops = _get(content[0], "top_logprobs") if isinstance(content, list) and content else None
    if tops is None and isinstance(older := _get(logprobs, "top_logprobs"), list) and older:
        tops = older[0]
    if isinstance(tops, dict):
        pairs = list(tops.items())
    else:
        pairs = [(_get(t, "token"), _get(t, "logprob")) for t in tops] if isinstance(tops, list) else []
    return tuple(
        (token, float(number))
        for token, number in pairs
        if isinstance(token, str) and isinstance(number, int | float) and not isinstance(number, bool)
    )


def complaint(body: bytes, secret: str | None) -> str:
    """The server's own words on an error, short, neutralised and without the key."""
    try:
        whole = json.loads(body)
    except (ValueError, RecursionError):
        words = body[:2000].decode("utf-8", "replace")
    else:
        error = _get(whole, "error")
        words = next(
            (w for w in (_get(error, "message"), error, _get(whole, "message")) if isinstance(w, str)),
            body[:2000].decode("utf-8", "replace"),
        )
    if secret:
        words = words.replace(secret, "***")
    return quote(words, 200)


def retry_after(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Seconds that ``Retry-After`` asks for, given as a number or as an HTTP date; ``None`` if it says nothing.

    Args:
        headers: with lower-case names.
        now: seconds since the epoch, for dates; the clock's if ``None``.
    """
    value = headers.get("retry-after", "").strip()
    try:
        seconds = float(value)
    except ValueError:
        try:
            then = email.utils.parsedate_to_datetime(value)
        except ValueError:
            return None
        seconds = then.timestamp() - (time.time() if now is None else now)
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _get(value: Any, key: str) -> Any:  # noqa: ANN401  (foreign JSON)
    return value.get(key) if isinstance(value, dict) else None  # pyright: ignore[reportUnknownVariableType]


def _usage(value: object) -> tuple[int, int] | None:
    counts = [_get(value, key) for key in ("prompt_tokens", "completion_tokens")]
    if all(isinstance(n, int) and not isinstance(n, bool) and 0 <= n < 10**9 for n in counts):
        return counts[0], counts[1]
    return None


def _start(body: bytes) -> str:
    return f'"{quote(body[:400].decode("utf-8", "replace"), 80)}"'
