"""Answers from a recorded run; no model is ever called."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from lossagent.chat.base import AnswerFormat, Completion
from lossagent.chat.pictures import fingerprint
from lossagent.chat.ranking import Ranking, checked, read
from lossagent.errors import ChatFailed, Damaged, Refused
from lossagent.records import Exchange, Message


def digest(messages: Sequence[Message]) -> str:
    """sha256 of the roles, words and pictures of a chat: what a question is recognised by.

    A picture counts by its pixels' hash, which is the same whether it is sent or only named in a record.
    """
    plain = json.dumps([_identity(m) for m in messages], ensure_ascii=True)
    return hashlib.sha256(plain.encode()).hexdigest()


class Replay:
    """Gives the answers of a recorded run.

    A question is found by its messages; the n-th time they are asked gets the n-th recorded answer, so the seed
    plays no part. A recorded failure fails again. Exchanges without messages (with people) are left out.

    Args:
        exchanges: in the order in which they were made.
        name: recorded as the model's name; the recorded author is in each completion.
    """

    def __init__(self, exchanges: Iterable[Exchange], name: str = "replay") -> None:
        self._name = name
        self._recorded: dict[str, list[Exchange]] = {}
        self._asked: dict[str, int] = {}
        for exchange in exchanges:
            if exchange.messages:
                self._recorded.setdefault(digest(exchange.messages), []).append(exchange)

    @classmethod
    def from_folder(cls, run: Path, name: str = "replay") -> Replay:
        """The answers recorded in a run folder (``exchanges/state-0001.jsonl``, ...).

        Raises:
            Refused: the folder holds no exchanges.
            Damaged: a line that is no exchange, other than a torn last one.
        """
        return cls(read_folder(run), name)

    @property
    def name(self) -> str:
        """Name of the model."""
        return self._name

    def complete(self, messages: Sequence[Message], answer: AnswerFormat, seed: int, deadline: float) -> Completion:
        """The recorded answer, with the recorded tokens and seconds; takes no time.

        Raises:
            ChatFailed: these messages were never asked, or not this often; or the recorded question failed.
        """
        del answer, seed, deadline
        exchange, text = self._next(messages)
        return Completion(
            text=text,
            model=exchange.author,
            prompt_tokens=exchange.prompt_tokens,
            completion_tokens=exchange.completion_tokens,
            seconds=exchange.seconds,
            finish=exchange.finish,
        )

    def option_logprobs(
        self, messages: Sequence[Message], options: Sequence[str], seed: int, deadline: float
    ) -> Ranking:
        """The recorded log-probabilities, with the recorded tokens and seconds; takes no time.

        Raises:
            ChatFailed: as for :meth:`complete`; or the recorded answer holds no log-probabilities of these options.
        """
        del seed, deadline
        exchange, text = self._next(messages)
        return Ranking(
            logprobs=read(text, checked(options), self._name),
            model=exchange.author,
            prompt_tokens=exchange.prompt_tokens,
            completion_tokens=exchange.completion_tokens,
            seconds=exchange.seconds,
        )

    def close(self) -> None:
        """Nothing to free."""

    def _next(self, messages: Sequence[Message]) -> tuple[Exchange, str]:
        """The recorded exchange whose turn it is, and its answer."""
        key = digest(messages)
        known = self._recorded.get(key)
        if known is None:
            raise ChatFailed(f"{self._name}: this question is not in the recording. {self._difference(messages)}")
        times = self._asked.get(key, 0)
        if times >= len(known):
            raise ChatFailed(
                f"{self._name}: this question was asked {len(known)} times in the recording "
                f"and is now asked once more (key {known[-1].key!r})."
            )
        self._asked[key] = times + 1
        exchange = known[times]
        if exchange.raw is None:
            raise ChatFailed(exchange.problem or f"{self._name}: the recorded question got no answer.")
        return exchange, exchange.raw

    def _difference(self, messages: Sequence[Message]) -> str:
        """Where the question leaves the recorded one that is nearest to it."""
        recorded = [exchanges[0] for exchanges in self._recorded.values()]
        if not recorded:
            return "The recording holds no question at all."
        nearest = max(recorded, key=lambda e: _agreement(messages, e.messages))
        at, position = _agreement(messages, nearest.messages)
        where = f"Nearest is {nearest.key!r}; first difference: message {at + 1}"
        if at >= len(messages) or at >= len(nearest.messages):
            return f"{where}: {len(messages)} messages now, {len(nearest.messages)} recorded."
        now, then = messages[at], nearest.messages[at]
        if now.content == then.content and now.role == then.role:
            return f"{where} ({now.role}): other pictures, {len(now.images)} now, {len(then.images)} recorded."
        if now.role != then.role:
            return f"{where}: role {now.role!r} now, {then.role!r} recorded."
        return (
            f"{where} ({now.role}), character {position}: "
            f"{_around(now.content, position)} now, {_around(then.content, position)} recorded."
        )


def read_folder(run: Path) -> Iterator[Exchange]:
    """The exchanges of a run folder, by state and then in the order they were made; see :class:`Replay`."""
    files = sorted((run / "exchanges").glob("state-*.jsonl"))
    if not files:
        raise Refused(f"nothing to replay in {run}: it has no file exchanges/state-*.jsonl. Name a run folder.")
    for file in files:
        lines = [line for line in file.read_text(encoding="utf-8", errors="replace").split("\n") if line]
        for number, line in enumerate(lines, start=1):
            try:
                yield Exchange.model_validate_json(line)
            except ValueError as error:
                # The writer was killed in the middle of its last line; the loop dropped that answer, too.
                if number == len(lines):
                    continue
                raise Damaged(f"{file}, line {number} is no exchange: {error}") from error


def _identity(message: Message) -> list[str | list[str]]:
    plain: list[str | list[str]] = [message.role, message.content]
    return [*plain, [fingerprint(image) for image in message.images]] if message.images else plain


def _agreement(now: Sequence[Message], then: Sequence[Message]) -> tuple[int, int]:
    """(messages that agree, characters of the next one that agree)."""
    agreeing = 0
    for a, b in zip(now, then, strict=False):
        if _identity(a) != _identity(b):
            return agreeing, _common(a.content, b.content) if a.role == b.role else 0
        agreeing += 1
    return agreeing, 0


def _common(a: str, b: str) -> int:
    """Length of the common beginning."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def _around(text: str, position: int, width: int = 24) -> str:
    """A few characters on each side of a position, for a message."""
    return repr(text[max(0, position - width) : position + width])
