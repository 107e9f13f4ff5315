"""The one place that touches xllamacpp, which ships no types."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from lossagent.chat._reading import first_tokens
from lossagent.chat.base import AnswerFormat
from lossagent.errors import ChatFailed, MissingPackage
from lossagent.records import Message


class Generation:
    """A running completion, in a thread of its own: the caller's stays free to watch the clock and for Ctrl-C.

    Read the results after :meth:`wait` returned true.
    """

    def __init__(self, server: Any, request: dict[str, Any]) -> None:  # noqa: ANN401  (xllamacpp.Server)
        self.text = ""
        self.finish = "stop"
        self.problem: str | None = None
        self.first: tuple[tuple[str, float], ...] = ()
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self._read = 0
        self._pieces = 0
        self._complete = False
        self._cancelled = threading.Event()
        self._ended = threading.Event()
        self._server: Any = server
        self._request = request
        # No daemon: a thread that returns from the engine into an interpreter that has ended aborts the process.
        threading.Thread(target=self._run, name="lossagent-llm").start()

    def cancel(self) -> None:
        """Asks the engine to stop after the piece it is at."""
        self._cancelled.set()

    def wait(self, seconds: float) -> bool:
        """Whether it has ended, waiting at most so long."""
        return self._ended.wait(seconds)

    @property
    def progress(self) -> str:
        """How far it got, in words."""
        if self._pieces:
            return f"{self.prompt_tokens} prompt tokens read and {self._pieces} written"
        return f"{self._read} of {self.prompt_tokens or 'unknown'} prompt tokens read"

    def _run(self) -> None:
        try:
            self._server.handle_chat_completions(self._request, self._receive)
            if not self._complete and self.problem is None:
                self.problem = "it ended without an answer"
        except Exception as error:  # whatever the engine throws is its failure to answer
            self.problem = f"{type(error).__name__}: {error}"
        finally:
            # A reference that outlives the call would keep the model in memory after close().
            self._server = None
            self._ended.set()

    def _receive(self, chunk: dict[str, Any]) -> bool:
        """Takes a piece; true tells the engine to stop. Exceptions in here would be printed and lost."""
        try:
            self._take(chunk)
        except Exception as error:
            self.problem = f"a piece of its answer could not be read: {type(error).__name__}: {error}"
        return self._cancelled.is_set() or self.problem is not None

    def _take(self, chunk: dict[str, Any]) -> None:
        if "error" in chunk:
            error = chunk["error"]
            self.problem = str(error.get("message", error) if isinstance(error, dict) else error)
            return
        if progress := chunk.get("prompt_progress"):
            self.prompt_tokens, self._read = int(progress["total"]), int(progress["processed"])
        if usage := chunk.get("usage"):
            self.prompt_tokens = int(usage["prompt_tokens"])
            self.completion_tokens = int(usage["completion_tokens"])
        for choice in chunk.get("choices", ()):
            if piece := choice["delta"].get("content"):
                self.text += piece
                self._pieces += 1
            if not self.first:
                self.first = first_tokens(choice.get("logprobs"))
            if choice.get("finish_reason"):
                self.finish = "length" if choice["finish_reason"] == "length" else "stop"
                self._complete = True


class Engine:
    """A loaded model with the engine's own server, on a free port of 127.0.0.1.

    Raises:
        MissingPackage: xllamacpp is not installed.
        ChatFailed: the engine cannot load the file.
    """

    def __init__(self, file: Path, name: str, context: int, threads: int, batch: int) -> None:
        try:
            xllamacpp: Any = importlib.import_module("xllamacpp")
        except ImportError:
            raise MissingPackage("xllamacpp", "llm", "The embedded language model") from None
        settings = _settings(xllamacpp, file, name, context, threads, batch)
        try:
            self._server: Any = xllamacpp.Server(settings)
        except (RuntimeError, ValueError) as error:
            raise ChatFailed(
                f"the engine cannot load {file}: {error} Is it a whole GGUF file, and is there memory for it?"
            ) from None
        # The server says that it is ready before its loop runs, and a server that is freed in between waits for its
        # loop for ever. One token goes through the loop.
        self._server.handle_completions({"prompt": "a", "max_tokens": 1, "cache_prompt": False})
        if not self.address.startswith("http://127.0.0.1:"):
            raise ChatFailed(f"the engine listens on {self.address} instead of 127.0.0.1; not used.")

    @property
    def address(self) -> str:
        """``http://127.0.0.1:PORT``."""
        return str(self._server.listening_address)

    def count(self, messages: Sequence[Message]) -> int:
        """Tokens of a prompt, with the chat template."""
        url = f"{self.address}/v1/chat/completions/input_tokens"
        try:
            reply = httpx.post(url, json={"messages": _plain(messages)}, timeout=30.0, trust_env=False)
            return int(reply.raise_for_status().json()["input_tokens"])
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise ChatFailed(f"the engine could not count the tokens of a prompt: {error}") from error

    def start(
        self,
        messages: Sequence[Message],
        answer: AnswerFormat,
        seed: int,
        temperature: float,
        reuse: bool,
        tops: int = 0,
    ) -> Generation:
        """Begins a completion.

        Args:
            messages: the prompts.
            answer: its grammar is enforced, or else its schema.
            seed: of sampling; taken modulo 2^31.
            temperature: of sampling.
            reuse: whether the common beginning with the last prompt is not read again.
            tops: how many of the most likely tokens are told at each place, with their log-probabilities before
                grammar, temperature and sampling.
        """
        request: dict[str, Any] = {
            "messages": _plain(messages),
            "max_tokens": answer.max_tokens,
            "seed": seed % 2**31,
            "temperature": temperature,
            "cache_prompt": reuse,
            "stream": True,
            "stream_options": {"include_usage": True},
            "return_progress": True,
        }
        if tops:
            request |= {"logprobs": True, "top_logprobs": tops}
        if answer.grammar is not None:
            request["grammar"] = answer.grammar
        elif answer.json_schema is not None:
            named = {"name": answer.name, "schema": dict(answer.json_schema)}
            request["response_format"] = {"type": "json_schema", "json_schema": named}
        return Generation(self._server, request)


def _settings(xllamacpp: Any, file: Path, name: str, context: int, threads: int, batch: int) -> Any:  # noqa: ANN401
    settings: Any = xllamacpp.CommonParams()
    settings.model.path = str(file)
    settings.port = 0
    settings.n_ctx = context
    settings.n_parallel = 1
    settings.n_gpu_layers = 0
    settings.n_batch = settings.n_ubatch = batch
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = threads
    settings.ctx_shift = False  # a context that slides is a silent cut
    settings.warmup = False
    settings.verbosity = -1
    optional = {
        "model_alias": {name},  # in answers, instead of the file's path
        "cache_ram_mib": 0,
        "fit_params": False,  # would change the context to fit the memory
        "ui": False,
        "cors_origins": "http://127.0.0.1",  # pages of a browser have no business here
        "endpoint_slots": False,
        "endpoint_props": False,
        "endpoint_metrics": False,
    }
    for key, value in optional.items():
        if hasattr(settings, key):  # names come and go with the engine's versions
            setattr(settings, key, value)
    return settings


def _plain(messages: Sequence[Message]) -> list[dict[str, str]]:
    return [{"role": m.role, "content": m.content} for m in messages]
