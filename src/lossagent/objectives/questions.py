"""What reviewers in words are shown and asked, and what is kept of their answers."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from lossagent.chat.neutral import quote
from lossagent.objectives.base import Pixels

Show = Literal["single", "pair", "reference"]
Before = Literal["input", "parent"]

_LOOK = (
    "blur, noise, ringing or halos, block or grid patterns, over-smoothed (plastic) or invented texture, colour shift"
)
_FORM = "Use plain text of at most 60 words, no list."
INTRODUCTIONS: dict[str, str] = {
    "single": "The picture is the output of an image restoration network.",
    "input": "The first picture is a degraded input, brought to the size of the second; "
    "the second picture is what an image restoration network made of it.",
    "parent": "The first picture is the output of an image restoration network earlier in its training; "
    "the second picture is its output now, from the same input.",
    "reference": "The first picture is the original; "
    "the second picture is what an image restoration network made of a degraded copy of it.",
}
QUESTIONS: dict[str, str] = {
    "single": f"Which visible defects does it have? Look for {_LOOK}. Name the worst first, where it is and how "
    f"strong; if there is none, say so. {_FORM}",
    "input": f"Which visible defects does the second picture have, and which of them are new in it? Look for {_LOOK}. "
    f"Name the worst first, where it is and how strong. {_FORM}",
    "parent": f"What became better and what became worse from the first picture to the second? Look for {_LOOK}. "
    f"Name the largest change first and where it is; if there is none, say so. {_FORM}",
    "reference": f"How does the second picture differ visibly from the first? Look for {_LOOK}, and for lost detail. "
    f"Name the worst first, where it is and how strong. {_FORM}",
}
_THINKING = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|$)", re.DOTALL | re.IGNORECASE)


class ReviewOptions(BaseModel):
    """How a reviewer is asked.

    Attributes:
        show: the restored image alone; before and after; or the reference and the restored image.
        before: what a pair begins with: the degraded input (bicubically enlarged to the same size), or the image
            of the state that the stage started from (at S_0, which has none, the input).
        question: replaces the built-in question; what the pictures are, and the wish, are said all the same.
        samples: answers wanted for each image, with different seeds.
        images: how many of the feedback images are shown, ``None`` for all; always the same ones.
        crop: side in pixels of what is shown; a larger image is cut to a part of it that is always the same, never
            resized. ``None`` shows whole images.
        max_bytes: of the pictures of one question, as they are sent; more is not sent.
        deadline: seconds for one question.
        total: seconds for all questions on one state.
        max_tokens: tokens of an answer.
        remark_limit: characters that are kept of an answer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    show: Show = "single"
    before: Before = "input"
    question: str | None = Field(default=None, min_length=1, max_length=4000)
    samples: int = Field(default=1, ge=1, le=20)
    images: int | None = Field(default=None, ge=1)
    crop: int | None = Field(default=512, ge=32)
    max_bytes: int = Field(default=8_000_000, ge=10_000)
    deadline: float = Field(default=120.0, gt=0, allow_inf_nan=False)
    total: float = Field(default=900.0, gt=0, allow_inf_nan=False)
    max_tokens: int = Field(default=200, ge=16, le=8192)
    remark_limit: int = Field(default=600, ge=40, le=4000)


def asked(shown: str, own: str | None, wish: str | None) -> str:
    """The words of a question.

    Args:
        shown: ``"single"``, ``"input"`` or ``"parent"`` (a pair that begins with it), or ``"reference"``.
        own: a question in place of the built-in one.
        wish: the goal's wish; it stands between quotation marks, as foreign words.
    """
    parts = [INTRODUCTIONS[shown], (own or QUESTIONS[shown]).strip()]
    if wish:
        parts.append(f'The person who trains the network wishes: "{quote(wish, 1000)}". Say whether that is fulfilled.')
    return " ".join(parts)


def chosen(names: Sequence[str], count: int | None, seed: int) -> tuple[str, ...]:
    """A choice of ``count`` names that depends on (names, seed) alone, in the order given; ``None`` takes all."""
    if count is None or count >= len(names):
        return tuple(names)
    drawn = set(sorted(names, key=lambda name: drawn_number(seed, name))[:count])
    return tuple(name for name in names if name in drawn)


def drawn_number(seed: int, *words: str) -> int:
    """A number from 0 to 2^31 - 1 that depends on its arguments alone."""
    text = "\0".join((str(seed), *words)).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(text).digest()[:4], "big") >> 1


def cut(pixels: Pixels, side: int | None, seed: int, name: str) -> Pixels:
    """The part of an image that is shown: the same one for each state, and of before and after.

    Args:
        pixels: the image.
        side: of the part; a side of the image that is no larger is kept whole.
        seed, name: they choose the place.
    """
    if side is None:
        return pixels
    height, width = pixels.shape[:2]
    top = drawn_number(seed, name, "top") % (max(0, height - side) + 1)
    left = drawn_number(seed, name, "left") % (max(0, width - side) + 1)
    return pixels[top : top + side, left : left + side]


def remark_of(answer: str, limit: int, complete: bool = True) -> str:
    """An answer as a remark: one line without control characters and without what a model thought before.

    It is kept for display and for prompts, which quote it; it is never followed.

    Args:
        answer: as it came.
        limit: characters that are kept.
        complete: whether the model had ended; what was cut off ends in an ellipsis.
    """
    spoken = _THINKING.sub(" ", answer[: 50 * limit + 50_000])
    kept = "".join(" " if c.isspace() else c for c in spoken if c.isspace() or unicodedata.category(c)[0] != "C")
    line = " ".join(kept.split())
    if len(line) > limit:
        return line[: limit - 1].rstrip() + "…"
    return line if complete or not line else line[: limit - 1] + "…"
