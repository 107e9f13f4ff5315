"""A small language model in this process: llama.cpp through xllamacpp, on the CPU, without a network."""

from __future__ import annotations

import importlib.util
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from lossagent.chat._engine import Engine, Generation
from lossagent.chat.base import AnswerFormat, Completion
from lossagent.chat.ranking import Ranking, checked, matched, one_of
from lossagent.errors import ChatFailed, MissingAsset, MissingPackage, Refused
from lossagent.records import Message

_GRACE = 0.25
"""Seconds a call may overrun: what the engine is given to notice that it was cancelled."""
_TOPS = 500
"""Most likely first tokens among which options are looked for; more cost time to hand over."""


class Embedded:
    """Answers with a GGUF model, loaded at first use and kept until :meth:`close`.

    A form's grammar is enforced by the engine, token by token (number bounds of a JSON schema are not: answers are
    validated again by the agent). Long prompts are refused, never cut.

    The clock is watched between tokens and between pieces of the prompt: when the deadline is over the engine is
    told to stop and the call raises within 0.25 s. The engine itself stops after the piece it is at (``batch``
    tokens: about a second for a small model, more for a large one); the next call waits for that within its own
    deadline. Loading, at first use, is not bounded: :meth:`serve` loads early.

    Read no skill into it: a model this small gives valid answers and decides at chance.

    Args:
        model: name of an asset (``lossagent assets``), or the path of a .gguf file.
        context: tokens of prompt and answer together.
        threads: CPU threads; ``None`` takes the cores this process may use, 8 at most.
        temperature: of sampling.
        repeatable: the same messages and seed give the same text, on the same machine and thread count. The prompt
            is then read anew each time. If false, the common beginning of successive prompts is reused, which
            is faster and changes the text now and then.
        batch: tokens of the prompt that are read at a time.

    Raises:
        Refused: a setting that cannot work.
    """

    def __init__(
        self,
        model: str | Path = "smollm2-135m-instruct",
        *,
        context: int = 4096,
        threads: int | None = None,
        temperature: float = 0.7,
        repeatable: bool = True,
        batch: int = 128,
    ) -> None:
        if context < 256 or batch < 1:
            raise Refused(f"context must be >= 256 tokens and batch >= 1; found {context}, {batch}.")
        if threads is not None and threads < 1:
            raise Refused(f"threads must be >= 1 or null; found {threads}.")
        if not temperature >= 0:
            raise Refused(f"temperature must be >= 0; found {temperature}.")
        self._model = str(model)
        self._context = context
        self._threads = threads if threads is not None else _usable_cores()
        self._temperature = temperature
        self._repeatable = repeatable
        self._batch = batch
        self._engine: Engine | None = None
        self._closed = False
        self._loading = threading.Lock()
        self._lock = threading.Lock()
        self._running: Generation | None = None

    @property
    def name(self) -> str:
        """Name of the asset or of the file, without its ending."""
        return Path(self._model).stem if _is_path(self._model) else self._model

    @property
    def context(self) -> int:
        """Tokens of prompt and answer together."""
        return self._context

    @property
    def threads(self) -> int:
        """CPU threads."""
        return self._threads

    @property
    def url(self) -> str:
        """Base URL of the engine's own OpenAI-compatible server on 127.0.0.1, e.g. ``http://127.0.0.1:41333/v1``.

        Loads the model. The port is free and new each time. There is no key: every process of this machine can use it.
        """
        return f"{self._loaded().address}/v1"

    def check(self) -> None:
        """Looks whether engine and model are here, without loading them.

        Raises:
            MissingPackage, MissingAsset: they are not.
        """
        if importlib.util.find_spec("xllamacpp") is None:
            raise MissingPackage("xllamacpp", "llm", "the embedded language model")
        self._file()

    def serve(self) -> str:
        """Loads the model now, if it is not, and returns :attr:`url`; :meth:`close` ends the server.

        Call it before a run to be refused early.

        Raises:
            MissingPackage, MissingAsset: the engine or the model is not here.
            ChatFailed: the engine cannot load the file.
        """
        return self.url

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """Tokens of a prompt, with the model's chat template.

        Raises:
            ChatFailed: the engine cannot count them.
        """
        return self._loaded().count(messages)

    def complete(self, messages: Sequence[Message], answer: AnswerFormat, seed: int, deadline: float) -> Completion:
        """One completion.

        Raises:
            ChatFailed: the prompt does not fit, the engine failed, or the deadline is over.
            MissingPackage, MissingAsset: at first use, if the engine or the model is not here.
        """
        begun = time.monotonic()
        done = self._answered(messages, answer, seed, self._temperature, 0, deadline)
        return Completion(
            text=done.text,
            model=self.name,
            prompt_tokens=done.prompt_tokens,
            completion_tokens=done.completion_tokens,
            seconds=time.monotonic() - begun,
            finish=done.finish,
        )

    def option_logprobs(
        self, messages: Sequence[Message], options: Sequence[str], seed: int, deadline: float
    ) -> Ranking:
        """The log-probability of each option as the first token: one reading of the prompt, nothing is sampled.

        Raises:
            ChatFailed: as for :meth:`complete`, or no option is among the 500 most likely first tokens.
            MissingPackage, MissingAsset: at first use, if the engine or the model is not here.
        """
        begun = time.monotonic()
        done = self._answered(messages, one_of(checked(options)), seed, 1.0, _TOPS, deadline)
        return Ranking(
            logprobs=matched(done.first, options, self.name),
            model=self.name,
            prompt_tokens=done.prompt_tokens,
            completion_tokens=done.completion_tokens,
            seconds=time.monotonic() - begun,
        )

    def close(self) -> None:
        """Stops what runs and frees the memory; the server ends, too."""
        self._closed = True
        if self._running is not None:
            self._running.cancel()
            self._running.wait(60.0)
            self._running = None
        self._engine = None

    def _answered(
        self,
        messages: Sequence[Message],
        answer: AnswerFormat,
        seed: int,
        temperature: float,
        tops: int,
        deadline: float,
    ) -> Generation:
        """A generation that ended well."""
        if any(m.images for m in messages):
            raise ChatFailed(f"{self.name}: the embedded model reads words only and was shown a picture.")
        begun = time.monotonic()
        engine = self._loaded()
        needed = self.count_tokens(messages)
        if needed + answer.max_tokens > self._context:
            raise ChatFailed(
                f"{self.name}: the prompt has {needed} tokens and the answer may have {answer.max_tokens}, together "
                f"more than the context of {self._context}. Shorten the history (or summarise it) or raise context."
            )
        if not self._lock.acquire(timeout=max(0.0, deadline - (time.monotonic() - begun))):
            raise ChatFailed(f"{self.name}: busy with another question for all of the {deadline:g} s.")
        try:
            return self._generate(engine, messages, answer, seed, temperature, tops, deadline, begun)
        finally:
            self._lock.release()

    def _generate(
        self,
        engine: Engine,
        messages: Sequence[Message],
        answer: AnswerFormat,
        seed: int,
        temperature: float,
        tops: int,
        deadline: float,
        begun: float,
    ) -> Generation:
        def left() -> float:
            return deadline - (time.monotonic() - begun)

        if self._running is not None and not self._running.wait(max(0.0, left())):
            raise ChatFailed(f"{self.name}: still stopping an earlier question after {deadline:g} s.")
        self._running = engine.start(
            messages, answer, seed=seed, temperature=temperature, reuse=not self._repeatable, tops=tops
        )
        try:
            ended = self._running.wait(max(0.0, left()))
        except BaseException:
            self._running.cancel()  # Ctrl-C: the engine stops at its next piece
            raise
        if not ended:
            self._running.cancel()
            self._running.wait(_GRACE)
            raise ChatFailed(
                f"{self.name}: no whole answer in {deadline:g} s: {self._running.progress}. "
                "Allow more time, shorten the prompt or take a smaller model."
            )
        running, self._running = self._running, None
        if running.problem is not None:
            raise ChatFailed(f"{self.name}: the engine failed: {running.problem}.")
        return running

    def _loaded(self) -> Engine:
        if self._closed:
            raise Refused(f"{self.name} is closed; make a new Embedded.")
        with self._loading:
            if self._engine is None:
                self._engine = Engine(
                    self._file(), self.name, context=self._context, threads=self._threads, batch=self._batch
                )
            return self._engine

    def _file(self) -> Path:
        if not _is_path(self._model):
            from lossagent.assets import locate

            return locate(self._model)
        path = Path(self._model)
        if not path.is_file():
            raise MissingAsset(f"there is no model file {path}; name a .gguf file or an asset (lossagent assets).")
        return path


def _is_path(model: str) -> bool:
    return model.lower().endswith(".gguf") or "/" in model or os.sep in model


def _usable_cores() -> int:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(usable, 8)
