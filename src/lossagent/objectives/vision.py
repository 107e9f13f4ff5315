"""A reviewer that looks at restored images through a model and says in words what it sees."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from lossagent.chat.base import AnswerFormat, ChatModel
from lossagent.chat.pictures import data_url, reference
from lossagent.chat.spending import Spending
from lossagent.data.degradations.bicubic import imresize
from lossagent.errors import ChatFailed, Refused
from lossagent.feedback import Feedback, MetricFacts, Remark
from lossagent.objectives.base import Pictures, Pixels, Situation
from lossagent.objectives.questions import ReviewOptions, asked, chosen, cut, drawn_number, remark_of
from lossagent.records import REVIEW, Exchange, Message

GIVE_UP = 3
"""Questions without an answer after which no more are asked of one state, if none had any."""

Lookup = Callable[[str], Pixels | None]


@runtime_checkable
class Spends(Protocol):
    """A model whose tokens are counted against a cap."""

    @property
    def spending(self) -> Spending:
        """Tokens and cost so far."""
        ...


@runtime_checkable
class Rests(Protocol):
    """A model that can free its memory until it is asked again."""

    def rest(self) -> None:
        """Frees what it can."""
        ...


@dataclass(frozen=True)
class Sources:
    """Where the pictures beside the restored one come from.

    Attributes:
        inputs: image name -> degraded input, of any size.
        references: image name -> original, of the restored image's size.
        previous: (state id, image name) -> restored image of an earlier state.
    """

    inputs: Lookup | None = None
    references: Lookup | None = None
    previous: Pictures | None = None


class VisionReviewer:
    """Feedback in words, as the paper's Co-Instruct gives it (section 4.2.2): a question for each feedback image.

    Each question is recorded as an exchange with the key ``review/NAME/IMAGE/SAMPLE``, so a run that is resumed asks
    none twice. A question without an answer is kept as a problem of the feedback; other remarks stand. Whatever the
    model does, calling this raises nothing for it.

    Args:
        name: of the reviewer, within the run.
        chat: the model; it must take pictures.
        options: what is shown and asked.
        sources: the pictures that a pair needs.
        wish: the goal's wish.
        seed: chooses images, crops and sampling seeds; these are the same for each state.

    Raises:
        Refused: pictures that the options need and nobody gives.
    """

    def __init__(
        self,
        name: str,
        chat: ChatModel,
        options: ReviewOptions | None = None,
        *,
        sources: Sources | None = None,
        wish: str | None = None,
        seed: int = 0,
    ) -> None:
        self.name, self.chat, self.wish, self.seed = name, chat, wish, seed
        self.options = options or ReviewOptions()
        self.sources = sources or Sources()
        show, before = self.options.show, self.options.before
        if show == "reference" and self.sources.references is None:
            raise Refused(
                f"reviewer {name!r} shows references, and the feedback images have none: show single or pair."
            )
        if show == "pair" and self.sources.inputs is None:
            raise Refused(f"reviewer {name!r} shows pairs and was given no inputs to begin them with.")
        if show == "pair" and before == "parent" and self.sources.previous is None:
            raise Refused(f"reviewer {name!r} shows the parent's images and was given no way to find them.")

    @property
    def facts(self) -> Mapping[str, MetricFacts]:
        """None: words are no scores."""
        return {}

    def __call__(self, restored: Mapping[str, Pixels], situation: Situation | None = None) -> Feedback:
        """Remarks on the chosen images.

        Args:
            restored: image name -> restored image.
            situation: the state they are of; without one nothing is recorded and there is no parent.
        """
        made: list[Exchange] = []
        for image in chosen(tuple(restored), self.options.images, self.seed):
            for sample in range(self.options.samples):
                key = f"{REVIEW}{self.name}/{image}/{sample}"
                # Recorded seconds and outcomes, not the clock: a resume then asks what the first run would have.
                left = self.options.total - math.fsum(e.seconds for e in made)
                hopeless = len(made) >= GIVE_UP and all(e.problem is not None for e in made)

                def make(key: str = key, image: str = image, left: float = left, hopeless: bool = hopeless) -> Exchange:
                    return self._ask(key, image, restored[image], situation, left, hopeless)

                made.append(situation.recall(key, make) if situation is not None else make())
        if isinstance(self.chat, Rests):
            self.chat.rest()
        return Feedback(remarks=self._remarks(made), problems=self._problems(made))

    def count(self, exchanges: Iterable[Exchange]) -> None:
        """Adds what recorded exchanges of this reviewer have cost to what a cap allows; others are passed over."""
        if isinstance(self.chat, Spends):
            for exchange in exchanges:
                if exchange.key.startswith(f"{REVIEW}{self.name}/"):
                    self.chat.spending.add(exchange.prompt_tokens, exchange.completion_tokens)

    def _remarks(self, made: Iterable[Exchange]) -> tuple[Remark, ...]:
        """One for each different answer on an image."""
        remarks: dict[tuple[str | None, str], Remark] = {}
        for exchange in made:
            if exchange.problem is None and exchange.raw is not None:
                text = self._text(exchange.raw, exchange.finish)
                remarks.setdefault(
                    (exchange.image, text), Remark(author=exchange.author, text=text, image=exchange.image)
                )
        return tuple(remarks.values())

    def _problems(self, made: list[Exchange]) -> dict[str, str]:
        failed = [e.problem for e in made if e.problem is not None]
        if not failed:
            return {}
        first = failed[0][:400].rstrip(".")
        return {
            self.name: f"reviewer {self.name}: {len(failed)} of {len(made)} questions got no words; first: {first}."
        }

    def _ask(
        self, key: str, image: str, pixels: Pixels, situation: Situation | None, left: float, hopeless: bool
    ) -> Exchange:
        """One question; whatever went wrong is recorded in the exchange."""
        exchange = Exchange(key=key, author=self.chat.name, image=image)
        if left <= 0:
            total = f"{self.options.total:g}"
            return exchange.model_copy(update={"problem": f"not asked: the {total} s for one state were used up"})
        if hopeless:
            return exchange.model_copy(update={"problem": f"not asked: the first {GIVE_UP} questions had no answer"})
        try:
            sent, kept = self._message(image, pixels, situation)
        except Refused as error:
            return exchange.model_copy(update={"problem": f"not asked: {error}"})
        exchange = exchange.model_copy(update={"messages": (kept,)})
        form = AnswerFormat("words", None, None, self.options.max_tokens)
        began = time.perf_counter()
        try:
            reply = self.chat.complete((sent,), form, drawn_number(self.seed, key), min(self.options.deadline, left))
        except ChatFailed as error:
            seconds = time.perf_counter() - began
            return exchange.model_copy(update={"problem": f"no answer: {error}", "seconds": seconds})
        facts = {
            "raw": reply.text[:20_000],
            "finish": reply.finish,
            "prompt_tokens": reply.prompt_tokens,
            "completion_tokens": reply.completion_tokens,
            "seconds": time.perf_counter() - began,
        }
        if not self._text(reply.text, reply.finish):
            cut_off = " (cut off at max_tokens)" if reply.finish == "length" else ""
            facts["problem"] = f"the answer held no words{cut_off}"
        return exchange.model_copy(update=facts)

    def _text(self, raw: str, finish: str) -> str:
        return remark_of(raw, self.options.remark_limit, finish != "length")

    def _message(self, image: str, pixels: Pixels, situation: Situation | None) -> tuple[Message, Message]:
        """The question as it is sent, and as it is recorded.

        Raises:
            Refused: a picture that is not there, of another size, or too large to send.
        """
        shown, first = self._first(image, pixels, situation)
        pictures = {image: pixels} if first is None else {f"{image} ({shown})": first, image: pixels}
        urls = {name: data_url(cut(p, self.options.crop, self.seed, image)) for name, p in pictures.items()}
        if (size := sum(map(len, urls.values()))) > self.options.max_bytes:
            raise Refused(
                f"the pictures of {image!r} have {size} bytes and max_bytes is {self.options.max_bytes}; "
                "show a smaller crop"
            )
        words = asked(shown, self.options.question, self.wish)
        references = tuple(reference(name, url) for name, url in urls.items())
        return (
            Message(role="user", content=words, images=tuple(urls.values())),
            Message(role="user", content=words, images=references),
        )

    def _first(self, image: str, pixels: Pixels, situation: Situation | None) -> tuple[str, Pixels | None]:
        """(what is shown, the picture before the restored one)."""
        if self.options.show == "single":
            return "single", None
        if self.options.show == "reference":
            return "reference", _there(_look(self.sources.references, image), "reference", image, pixels)
        parent = situation.state.parent if situation is not None else None
        if self.options.before == "parent" and parent is not None:
            assert self.sources.previous is not None
            before = self.sources.previous(parent, image)
            return "parent", _there(before, f"restored image of state {parent}", image, pixels)
        low = _look(self.sources.inputs, image)
        if low is None:
            raise Refused(f"there is no input of {image!r} to show before the restored image")
        return "input", low if low.shape == pixels.shape else imresize(low, pixels.shape[0], pixels.shape[1])


def _look(lookup: Lookup | None, image: str) -> Pixels | None:
    return lookup(image) if lookup is not None else None


def _there(picture: Pixels | None, what: str, image: str, pixels: Pixels) -> Pixels:
    if picture is None:
        raise Refused(f"there is no {what} of {image!r} to show beside it")
    if picture.shape != pixels.shape:
        raise Refused(
            f"the {what} of {image!r} has {picture.shape[0]} x {picture.shape[1]} pixels and the restored image "
            f"{pixels.shape[0]} x {pixels.shape[1]}; they cannot be shown side by side"
        )
    return picture
