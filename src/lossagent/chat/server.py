"""Any server that speaks the OpenAI chat protocol: vLLM, llama.cpp, Ollama, hosted ones."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import httpx

from lossagent.chat._constraint import PROBE, Mode, candidates, fields, obeyed, probe_format
from lossagent.chat._post import Response, TooLarge, post
from lossagent.chat._reading import Answer, Unreadable, complaint, read_answer, retry_after
from lossagent.chat._wire import endpoint, on_the_wire, without_secrets
from lossagent.chat.base import AnswerFormat, Completion
from lossagent.chat.neutral import quote
from lossagent.chat.pictures import token_guess
from lossagent.chat.ranking import TOPS, Ranking, checked, matched, one_of
from lossagent.chat.spending import Spending
from lossagent.errors import ChatFailed, Refused
from lossagent.records import Message

LARGEST = 256 * 1024
"""Bytes of an answer beyond which it is refused while it is read."""

_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504, 529})


class OpenAICompatible:
    """A chat model behind ``POST {base_url}/chat/completions``.

    The whole call, retries and waiting included, ends within its deadline, whatever the server does. Retried are
    refused or broken connections and the statuses 408, 425, 429, 500, 502, 503, 504 and 529, after 0.5, 1, 2 ... s or
    what ``Retry-After`` asks, while time is left. Everything else fails at once, with what to do about it.

    Args:
        base_url: e.g. ``http://127.0.0.1:8000/v1``; a query is kept, a user name or password in it is refused.
        model: name that the server knows.
        key_env: environment variable that holds the key, read at each call; sent only if set. ``None`` sends none.
        answer_mode: how the form of answers is handed over: in the field of that name, or not at all (``none``);
            ``auto`` probes the server at first use and takes a mode that it enforces.
        temperature: of sampling; ``None`` leaves it to the server (some models refuse any).
        limit_field: name of the field that caps the length; newer hosted models want ``max_completion_tokens``.
        timeout: longest single try, in seconds; the deadline holds beside it.
        retries: most tries after the first.
        max_total_tokens, max_cost, prompt_price, completion_price: caps, see :class:`Spending`.

    Raises:
        Refused: a base URL or a setting that cannot work.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        key_env: str | None = "OPENAI_API_KEY",
        answer_mode: Mode | Literal["auto"] = "auto",
        temperature: float | None = 0.7,
        limit_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens",
        timeout: float = 120.0,
        retries: int = 4,
        max_total_tokens: int | None = None,
        max_cost: float | None = None,
        prompt_price: float | None = None,
        completion_price: float | None = None,
    ) -> None:
        self._url, self._shown = endpoint(base_url)
        if not model:
            raise Refused("model must be a name that the server knows; found ''.")
        if not timeout > 0 or retries < 0:
            raise Refused(f"timeout must be > 0 and retries >= 0; found {timeout}, {retries}.")
        self._model = model
        self._key_env = key_env
        self._mode: Mode | Literal["auto"] = answer_mode
        self._temperature = temperature
        self._limit_field = limit_field
        self._timeout = timeout
        self._retries = retries
        self._spending = Spending(max_total_tokens, max_cost, prompt_price, completion_price)
        self._probed: dict[Mode, bool] = {}

    @property
    def name(self) -> str:
        """Name of the model."""
        return self._model

    @property
    def spending(self) -> Spending:
        """Tokens and cost so far; a resumed run adds to it what was spent before."""
        return self._spending

    @property
    def probed(self) -> Mapping[Mode, bool]:
        """Mode -> whether the server enforces it; what ``"auto"`` has found out so far."""
        return dict(self._probed)

    @property
    def enforces(self) -> bool | None:
        """Whether the server enforces some form; ``None`` before the first probe and where none is made."""
        return any(self._probed.values()) if self._probed else None

    def complete(self, messages: Sequence[Message], answer: AnswerFormat, seed: int, deadline: float) -> Completion:
        """One completion; probes first where ``answer_mode`` is ``"auto"`` and the form is new.

        Raises:
            ChatFailed: no usable answer within the deadline, or a cap would be passed.
        """
        clock = _Clock(deadline)
        mode = self._choose(answer, seed, clock) if self._mode == "auto" else self._mode
        found = self._ask(messages, answer, mode, seed, clock, self._retries)
        prompt_tokens, completion_tokens = found.usage or (0, 0)
        return Completion(
            text=found.text,
            model=found.model or self._model,
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            seconds=clock.spent(),
            finish=found.finish,
        )

    def option_logprobs(
        self, messages: Sequence[Message], options: Sequence[str], seed: int, deadline: float
    ) -> Ranking:
        """The log-probability of each option, looked for among the 20 most likely first tokens.

        No form is handed over: some servers tell the numbers after it was enforced.

        Raises:
            ChatFailed: no answer within the deadline, a cap would be passed, the server tells no log-probabilities
                (or refuses to), or no option is among the 20.
        """
        clock, form = _Clock(deadline), one_of(checked(options))
        wanted: dict[str, Any] = {"logprobs": True, "top_logprobs": TOPS}
        if self._temperature is not None:
            wanted["temperature"] = 1.0  # some servers tell the numbers after it was applied
        try:
            found = self._ask(messages, form, "none", seed, clock, self._retries, wanted)
        except _NotAccepted as error:
            raise ChatFailed(f"{error} The question asked for log-probabilities (logprobs, top_logprobs).") from None
        if not found.first:
            raise ChatFailed(f"{self._shown} tells no log-probabilities: its answer has no logprobs.")
        prompt_tokens, completion_tokens = found.usage or (0, 0)
        return Ranking(
            logprobs=matched(found.first, options, found.model or self._model),
            model=found.model or self._model,
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            seconds=clock.spent(),
        )

    def close(self) -> None:
        """Nothing stays open between calls."""

    def _choose(self, answer: AnswerFormat, seed: int, clock: _Clock) -> Mode:
        """The first mode that the server enforces for this form; each is probed once."""
        for mode in candidates(answer):
            if mode not in self._probed:
                half = _Clock(clock.left() / 2)
                try:
                    reply = self._ask(PROBE, probe_format(mode), mode, seed, half, retries=min(1, self._retries))
                    self._probed[mode] = obeyed(mode, reply.text)
                except _NotAccepted:
                    self._probed[mode] = False
                except _Troubled:
                    # It says nothing about the mode, so the next call probes again; this one only asks.
                    return "none"
            if self._probed[mode]:
                return mode
        return "none"

    def _ask(
        self,
        messages: Sequence[Message],
        answer: AnswerFormat,
        mode: Mode,
        seed: int,
        clock: _Clock,
        retries: int,
        more: Mapping[str, Any] | None = None,
    ) -> Answer:
        """Asks until there is an answer, the tries are used up or the time is up."""
        # Three characters a token is a cautious guess: English has four and more, digits about two.
        guess = sum(len(m.content) for m in messages) // 3 + 8
        guess += sum(token_guess(image) for m in messages for image in m.images)
        self._spending.check(guess, answer.max_tokens)
        body: dict[str, Any] = {
            "model": self._model,
            "messages": [on_the_wire(m) for m in messages],
            self._limit_field: answer.max_tokens,
            "seed": seed,
            **({} if self._temperature is None else {"temperature": self._temperature}),
            **fields(mode, answer),
            **(more or {}),
        }
        sent = json.dumps(body).encode()
        for tried in range(retries + 1):
            result = self._try(sent, clock)
            if isinstance(result, Answer):
                self._spending.add(*(result.usage or (guess, len(result.text) // 3 + 1)))
                return result
            pause = 0.5 * 2**tried if result.wait is None else result.wait
            if tried == retries:
                raise _Troubled(f"{result.problem} Tried {tried + 1} times in {clock.spent():.1f} s; gave up.")
            if pause >= clock.left():
                raise _Troubled(
                    f"{result.problem} The next try would be due in {pause:.1f} s, but the deadline of "
                    f"{clock.seconds:g} s leaves {max(clock.left(), 0):.1f} s; gave up after {tried + 1} tries."
                )
            time.sleep(pause)
        raise AssertionError  # the loop ends by itself

    def _try(self, sent: bytes, clock: _Clock) -> Answer | _Passing:
        """One request."""
        key = self._key()
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "User-Agent": "lossagent",
        }
        if key is not None:
            headers["Authorization"] = f"Bearer {key}"
        seconds = min(self._timeout, clock.left())
        if seconds <= 0:
            raise _Troubled(f"{self._shown}: the deadline of {clock.seconds:g} s was over before a try began.")
        try:
            response = post(self._url, headers, sent, seconds, LARGEST)
        except TimeoutError:
            problem = f"{self._shown} gave no whole answer in {seconds:.1f} s."
            if clock.left() > 0.05:
                return _Passing(problem)
            raise _Troubled(f"{problem} The deadline is over; allow more time or use a faster model.") from None
        except TooLarge:
            raise ChatFailed(
                f"{self._shown} answered with more than {LARGEST // 1024} KB; the rest was not read. "
                "Is this a chat server?"
            ) from None
        except httpx.ConnectError as error:
            return _Passing(f"{self._shown}: no connection ({quote(str(error), 120)}). Is the server running?")
        except httpx.TransportError as error:
            return _Passing(f"{self._shown}: the connection broke ({quote(str(error), 120)}).")
        except (httpx.HTTPError, httpx.InvalidURL, ImportError, ValueError) as error:
            # E.g. a proxy of the environment that is none, or SOCKS without its package.
            raise ChatFailed(f"{self._shown}: the request could not be sent ({quote(str(error), 160)}).") from None
        return self._interpret(response, key)

    def _interpret(self, response: Response, key: str | None) -> Answer | _Passing:
        """What a response means: an answer, a passing trouble, or a failure."""
        status = response.status
        if status == 200:
            if response.headers.get("content-encoding", "identity") != "identity":
                raise ChatFailed(f"{self._shown} sent a compressed answer although none was asked for; refused.")
            try:
                return read_answer(response.body)
            except Unreadable as problem:
                raise ChatFailed(f"{self._shown} answered 200, but {problem}.") from None
        start = f"{self._shown} answered {status}"
        words = complaint(response.body, key)
        said = f': "{words}".' if words else "."
        if status in _PASSING:
            return _Passing(start + said, retry_after(response.headers))
        if status in (401, 403):
            raise ChatFailed(f"{start}. {self._key_advice()}")
        if 300 <= status < 400:
            to = quote(without_secrets(response.headers.get("location", "")), 120)
            raise ChatFailed(
                f"{start}: it redirects to {to or 'nowhere'}. Redirects are not followed, as the key would go along; "
                "correct base_url."
            )
        if status == 404:
            raise ChatFailed(
                f"{start}{said} Check that base_url ends as the server wants it (often /v1) and that it serves "
                f"the model {self._model!r}."
            )
        raise _NotAccepted(f"{start}{said}")

    def _key(self) -> str | None:
        value = (os.environ.get(self._key_env) or "").strip() if self._key_env is not None else ""
        if not value:
            return None
        if not (value.isascii() and value.isprintable()):
            raise ChatFailed(f"the environment variable {self._key_env} holds characters that no key can have.")
        return value

    def _key_advice(self) -> str:
        if self._key_env is None:
            return "It wants a key: set key_env to the name of an environment variable that holds it."
        if self._key() is None:
            return f"It wants a key: set the environment variable {self._key_env}."
        return f"It does not accept the key in the environment variable {self._key_env}, or not for this model."


@dataclass(frozen=True)
class _Passing:
    """Trouble that may be over soon."""

    problem: str
    wait: float | None = None


class _Troubled(ChatFailed):
    """Passing trouble that did not pass in time."""


class _NotAccepted(ChatFailed):
    """The server understood and said no (400, 422 ...): for a probe that is an answer."""


class _Clock:
    """How much of a deadline is left."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._begun = time.monotonic()

    def spent(self) -> float:
        return time.monotonic() - self._begun

    def left(self) -> float:
        return self.seconds - self.spent()
