"""Log-probabilities of listed options: what a model thinks of each, where it can tell, instead of one it samples."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, cast, runtime_checkable

from lossagent.chat.base import AnswerFormat
from lossagent.chat.neutral import quote
from lossagent.errors import ChatFailed, Refused
from lossagent.records import Message

TOPS = 20
"""Most likely first tokens that a server is asked for; the largest number that OpenAI's protocol allows."""

_MARKS = "\u2581\u0120"
"""How tokenizers write a leading blank where a server shows tokens raw (SentencePiece, byte-level BPE)."""


@dataclass(frozen=True)
class Ranking:
    """What a model thinks of each option.

    Attributes:
        logprobs: option -> natural logarithm of its probability as the first token of the answer, <= 0, before
            temperature and sampling. The probabilities need not sum to 1: the model could say something else.
        model: name of the model.
        prompt_tokens, completion_tokens: as counted by the engine, 0 where unknown.
        seconds: wall-clock time.
    """

    logprobs: Mapping[str, float]
    model: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0


@runtime_checkable
class RanksOptions(Protocol):
    """A chat model that can tell how probable each of some answers is."""

    def option_logprobs(
        self, messages: Sequence[Message], options: Sequence[str], seed: int, deadline: float
    ) -> Ranking:
        """The log-probability of each option as the next word of the chat.

        Args:
            messages: as for :meth:`lossagent.chat.ChatModel.complete`; the last one should ask for an option alone.
            options: at least two, each one token to the model (letters are), different whatever their case.
            seed: for doubles that draw; a model's numbers do not depend on it.
            deadline: seconds after which the call must have ended, retries included.

        Raises:
            ChatFailed: no log-probabilities within the deadline, or none of the options is likely; says which.
            Refused: options that are no options.
        """
        ...


def checked(options: Sequence[str]) -> tuple[str, ...]:
    """The options, if a first token can tell them apart.

    Raises:
        Refused: fewer than two, one that is empty or holds white space, or two that differ in case alone.
    """
    if len(options) < 2 or any(not o or o.split() != [o] for o in options):
        raise Refused(f"options must be two or more words without blanks, such as 'A' and 'B'; found {list(options)}.")
    if len({o.casefold() for o in options}) < len(options):
        raise Refused(f"options must differ in more than case; found {list(options)}.")
    return tuple(options)


def one_of(options: Sequence[str]) -> AnswerFormat:
    """The form of an answer that is one option and nothing else, as a grammar; one token long."""
    return AnswerFormat("option", None, f"root ::= {' | '.join(json.dumps(o) for o in options)}", max_tokens=1)


def matched(tokens: Iterable[tuple[str, float]], options: Sequence[str], who: str) -> dict[str, float]:
    """Option -> log-probability, from the most likely first tokens.

    With and without a leading blank and in any case, a token is the same option: such probabilities are added. An
    option that is not among the tokens is less likely than all of them and is given the least of their values, an
    upper bound, so that a preference is understated and never overstated.

    Args:
        tokens: (token, log-probability), in any order; numbers that can be none are passed over.
        options: see :func:`checked`.
        who: the model, for the message.

    Raises:
        ChatFailed: no option is among the tokens.
    """
    known = [(t, p) for t, p in tokens if math.isfinite(p) and p <= 1e-3]
    parts: dict[str, list[float]] = {option: [] for option in options}
    names = {option.casefold(): option for option in options}
    for token, logprob in known:
        option = names.get(token.strip().strip(_MARKS).casefold())
        if option is not None:
            parts[option].append(logprob)
    if not any(parts.values()):
        likely = ", ".join(f'"{quote(t, 20)}"' for t, _ in sorted(known, key=lambda x: -x[1])[:3]) or "none at all"
        raise ChatFailed(
            f"{who}: none of {', '.join(options)} is among its {len(known)} most likely first words; those begin "
            f"{likely}. It does not answer with an option alone."
        )
    least = min(p for _, p in known)
    return {option: min(0.0, _added(found) if found else least) for option, found in parts.items()}


def written(logprobs: Mapping[str, float]) -> str:
    """Log-probabilities as a recorded exchange holds them: JSON, six decimals."""
    return json.dumps({option: round(value, 6) for option, value in logprobs.items()})


def read(text: str, options: Sequence[str], who: str) -> dict[str, float]:
    """What :func:`written` wrote.

    Raises:
        ChatFailed: something else, or of other options.
    """
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    values = cast("dict[str, object]", found) if isinstance(found, dict) else {}
    numbers = {k: float(v) for k, v in values.items() if isinstance(v, int | float) and not isinstance(v, bool)}
    if numbers.keys() != set(options) or not all(math.isfinite(x) and x <= 0 for x in numbers.values()):
        raise ChatFailed(
            f'{who}: log-probabilities of {", ".join(options)} must be JSON such as {{"A": -0.1, "B": -2.3}}; '
            f'found "{quote(text, 80)}".'
        )
    return {option: numbers[option] for option in options}


def _added(logprobs: Sequence[float]) -> float:
    """log of the sum of probabilities."""
    top = max(logprobs)
    return top + math.log(math.fsum(math.exp(p - top) for p in logprobs))
