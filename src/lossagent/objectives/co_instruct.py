"""Co-Instruct in this process: the reviewer of the paper's words-as-feedback runs.

Wu et al., "Towards Open-ended Visual Quality Comparison", ECCV 2024, https://arxiv.org/abs/2402.16641. The weights are
``q-future/co-instruct`` on the Hugging Face hub, and with them comes the Python code that runs them.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Sequence
from typing import Any, Literal

import torch
from PIL import Image

from lossagent.chat.base import AnswerFormat, Completion
from lossagent.chat.pictures import pixels_of
from lossagent.errors import ChatFailed, MissingPackage, Refused
from lossagent.objectives.snapshot import Snapshot, find_snapshot
from lossagent.records import Message

PUBLISHED = "q-future/co-instruct"
IMAGE = "<|image|>"
"""Where a picture stands in the model's prompt."""
_ORDINALS = ("first", "second", "third", "fourth")

Precision = Literal["auto", "float16", "bfloat16", "float32"]


class CoInstruct:
    """Co-Instruct as a chat model that takes one to four pictures.

    Nothing is downloaded: the files lie in a folder or in the hub's cache, and a missing one is named. They are loaded
    when the first question is asked (about 16 GB in 16 bits), and :meth:`rest` frees that memory again.

    Args:
        model: a folder, or a name whose files are in the hub's cache.
        trust_remote_code: must be true. The model has no code in transformers: Python files that came with the
            weights are executed, with all rights of this process.
        revision: commit of the files in the hub's cache, ``None`` for the one that ``main`` points to.
        device: where it runs.
        precision: ``"auto"`` is float16 on an accelerator and float32 on the CPU.
        temperature: of sampling; ``None`` takes the likeliest words, which are the same for every seed.

    Raises:
        Refused: remote code is not trusted.
        MissingPackage: transformers is not installed.
        MissingAsset: files are not on this machine; names them.
    """

    def __init__(
        self,
        model: str = PUBLISHED,
        *,
        trust_remote_code: bool = False,
        revision: str | None = None,
        device: torch.device | None = None,
        precision: Precision = "auto",
        temperature: float | None = None,
    ) -> None:
        if trust_remote_code is not True:
            raise Refused(
                f"{model} can only be run by the Python files that come with its weights, and they would be executed "
                "with all rights of this process: read them, keep them at one revision, and then say "
                "trust_remote_code: true. Or take a vision model behind a server (kind: server)."
            )
        self._device = device or torch.device("cpu")
        self._precision: Precision = precision
        self._temperature = temperature
        self._transformers: Any = _transformers()
        self.snapshot: Snapshot = find_snapshot(model, revision)
        self._model: Any = None

    @property
    def name(self) -> str:
        """``co-instruct``."""
        return "co-instruct"

    def complete(self, messages: Sequence[Message], answer: AnswerFormat, seed: int, deadline: float) -> Completion:
        """One completion.

        The deadline is handed to generation, which looks at it after each word; loading does not count.

        Raises:
            ChatFailed: no picture or more than four, an answer that is no text, or the model's code failed.
            Refused: the model cannot be loaded; a set-up to mend, not an answer that failed.
        """
        pictures = [image for message in messages for image in message.images]
        if not 1 <= len(pictures) <= len(_ORDINALS):
            raise ChatFailed(f"{self.name} looks at 1 to {len(_ORDINALS)} pictures; it was shown {len(pictures)}.")
        prompt = _prompt(" ".join(message.content for message in messages), len(pictures))
        shown = [Image.fromarray(pixels_of(url)) for url in pictures]
        model = self._loaded()
        options: dict[str, Any] = {"max_new_tokens": answer.max_tokens, "max_time": deadline, "do_sample": False}
        if self._temperature:
            options |= {"do_sample": True, "temperature": self._temperature}
        began = time.perf_counter()
        try:
            with torch.random.fork_rng(devices=[self._device] if self._device.type == "cuda" else []):
                torch.manual_seed(seed)
                with torch.inference_mode():
                    said = model.chat(prompt, shown, **options)
        except Exception as error:  # foreign code: whatever it throws is its failure to answer
            raise ChatFailed(f"{self.name}: its code failed: {_first_line(error)}") from error
        text = self._words(said, model).split("ASSISTANT:")[-1].replace("</s>", "").strip()
        seconds = time.perf_counter() - began
        return Completion(text, self.name, seconds=seconds, finish="length" if seconds >= deadline else "stop")

    def rest(self) -> None:
        """Frees the memory; the next question loads the model again."""
        self._model = None
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def close(self) -> None:
        """Frees the memory."""
        self.rest()

    def _loaded(self) -> Any:  # noqa: ANN401  (a class that comes with the weights)
        if self._model is None:
            precision = self._precision
            if precision == "auto":
                precision = "float32" if self._device.type == "cpu" else "float16"
            try:
                self._model = self._transformers.AutoModelForCausalLM.from_pretrained(
                    self.snapshot.source,
                    revision=self.snapshot.revision,
                    trust_remote_code=True,
                    local_files_only=True,
                    torch_dtype=getattr(torch, precision),
                    attn_implementation="eager",
                    device_map={"": str(self._device)},
                ).eval()
            except Exception as error:  # foreign code
                version = getattr(self._transformers, "__version__", "of an unknown version")
                raise Refused(
                    f"{self.name} could not be loaded from {self.snapshot.folder} with transformers {version}: "
                    f"{_first_line(error)} Its code was published for transformers 4.36; install what it needs, or "
                    "serve another vision model."
                ) from error
        return self._model

    def _words(self, said: object, model: Any) -> str:  # noqa: ANN401
        """The answer as text: its code may give a text, a list with one, or token ids.

        Raises:
            ChatFailed: none of these.
        """
        if isinstance(said, torch.Tensor):
            try:
                said = model.tokenizer.batch_decode(said.reshape(-1, said.shape[-1]), skip_special_tokens=True)
            except Exception as error:
                raise ChatFailed(f"{self.name}: its answer could not be decoded: {_first_line(error)}") from error
        if isinstance(said, list | tuple) and len(said) == 1:  # pyright: ignore[reportUnknownArgumentType]
            said = said[0]  # pyright: ignore[reportUnknownVariableType]
        if not isinstance(said, str):
            raise ChatFailed(f"{self.name}: its code answered with {type(said).__name__} in place of a text.")  # pyright: ignore[reportUnknownArgumentType]
        return said


def _prompt(words: str, pictures: int) -> str:
    """The published template: each picture is announced by its number, then comes the question."""
    words = words.replace(IMAGE, " ").replace("ASSISTANT:", "ASSISTANT ").replace("USER:", "USER ")
    if pictures == 1:
        return f"USER: The image: {IMAGE} {words} ASSISTANT:"
    shown = "\n".join(f"The {which} image: {IMAGE}" for which in _ORDINALS[:pictures])
    return f"USER: {shown}\n{words} ASSISTANT:"


def _transformers() -> Any:  # noqa: ANN401  (optional package)
    try:
        return importlib.import_module("transformers")
    except ImportError:
        raise MissingPackage("transformers", "co-instruct", "Co-Instruct") from None


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:300] if lines else ''}".rstrip(": .") + "."
