"""The built-in describer as an objective: a reviewer in words that needs no model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lossagent.errors import Refused
from lossagent.feedback import Feedback, MetricFacts, Remark
from lossagent.objectives.base import Pictures, Pixels, Situation
from lossagent.objectives.describer.changes import Change, change, change_text, mean_change
from lossagent.objectives.describer.judging import faults
from lossagent.objectives.describer.looking import Ground, apart, input_ground, reference_ground, see
from lossagent.objectives.describer.plane import SMALLEST
from lossagent.objectives.describer.seeing import Seen
from lossagent.objectives.describer.summary import short, summary_text
from lossagent.objectives.describer.words import image_text

AUTHOR = "describer"

Lookup = Callable[[str], Pixels | None]
"""Image name -> an image, ``None`` where there is none."""


@dataclass(frozen=True)
class Describer:
    """Says in plain sentences, with numbers, how restored images differ from what they are compared with.

    It measures sharpness, noise, ringing, blocking, texture, colour and lattice peaks (see
    :class:`~lossagent.objectives.describer.seeing.Look`), against the reference where there is one, else against the
    input, and says what changed since the parent state. The same images give the same words.

    Args:
        inputs: image name -> degraded input, ``scale`` times smaller than the restored image.
        references: image name -> ground truth of the restored image's size; up to ``scale`` - 1 px more at the bottom
            and right are cut off.
        previous: restored images of earlier states, ``None`` to look at no other state.
        scale: how many times restored images are larger than inputs, >= 1.
        images: how many images get a remark of their own, the worst first; ``None`` = all, in their own order.

    Raises:
        Refused: a scale below 1 or a negative number of images.
    """

    inputs: Lookup
    references: Lookup
    previous: Pictures | None
    scale: int
    images: int | None = 3

    def __post_init__(self) -> None:
        if self.scale < 1:
            raise Refused(f"scale must be >= 1; found {self.scale}.")
        if self.images is not None and self.images < 0:
            raise Refused(f"images must be >= 0, or none for all of them; found {self.images}.")

    @property
    def facts(self) -> Mapping[str, MetricFacts]:
        """None: it gives words and no scores."""
        return {}

    def __call__(self, restored: Mapping[str, Pixels], situation: Situation | None = None) -> Feedback:
        """Remarks by ``describer``: on the whole set first, then on single images.

        An image that cannot be described (too small, no counterpart, other size) gets no remark and is named in
        ``problems``; nothing is raised.

        Args:
            restored: image name -> restored image, uint8 RGB.
            situation: its state's parent is the state before; without one nothing is said of changes.
        """
        parent = situation.state.parent if situation is not None else None
        seen: dict[str, Seen] = {}
        changes: dict[str, Change] = {}
        problems: list[str] = []
        for name, pixels in restored.items():
            try:
                seen[name], since = self._see(name, pixels, parent)
            except Exception as error:  # One image must not cost the others theirs, nor the run its stage.
                problems.append(f"{short(name)}: {error or type(error).__name__}")
            else:
                if since is not None:
                    changes[name] = since
        remarks: list[Remark] = []
        if seen:
            since = change_text(mean_change(list(changes.values()))) if changes else ""
            remarks.append(Remark(author=AUTHOR, text=summary_text(seen, since)))
        for name in self._chosen(seen):
            since = change_text(changes[name]) if name in changes else ""
            remarks.append(Remark(author=AUTHOR, image=name, text=image_text(seen[name], since)))
        return Feedback(remarks=tuple(remarks), problems={AUTHOR: _problem(problems)} if problems else {})

    def _see(self, name: str, pixels: Pixels, parent: int | None) -> tuple[Seen, Change | None]:
        _check(pixels, "restored image")
        on = self._ground(name, pixels)
        seen = see(pixels, on)
        before = self.previous(parent, name) if self.previous is not None and parent is not None else None
        if before is None:
            return seen, None
        if before.shape != pixels.shape:
            raise Refused(f"the parent state's image is {_size(before)}, this one {_size(pixels)}")
        return seen, change(seen, see(before, on), apart(pixels, before))

    def _ground(self, name: str, pixels: Pixels) -> Ground:
        height, width = pixels.shape[:2]
        reference = self.references(name)
        if reference is not None:
            over = (reference.shape[0] - height, reference.shape[1] - width)
            if not all(0 <= o < max(self.scale, 1) for o in over):
                raise Refused(f"restored image is {_size(pixels)}, its reference {_size(reference)}")
            return reference_ground(reference[:height, :width], self.scale)
        given = self.inputs(name)
        if given is None:
            raise Refused("it has neither a reference nor an input to compare with")
        if (given.shape[0] * self.scale, given.shape[1] * self.scale) != (height, width):
            raise Refused(f"restored image is {_size(pixels)}, its input {_size(given)} at scale {self.scale}")
        _check(given, "input")
        return input_ground(given, self.scale)

    def _chosen(self, seen: Mapping[str, Seen]) -> list[str]:
        if self.images is None:
            return list(seen)
        return sorted(seen, key=lambda name: -max(faults(seen[name]).values()))[: self.images]


def _check(pixels: Pixels, what: str) -> None:
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != "uint8":
        raise Refused(f"{what} must be uint8 height x width x 3; found {pixels.dtype} {list(pixels.shape)}")
    if min(pixels.shape[:2]) < SMALLEST:
        raise Refused(f"{what} is {_size(pixels)}, and fewer than {SMALLEST} px a side are too few to describe")


def _size(pixels: Pixels) -> str:
    return f"{pixels.shape[1]}x{pixels.shape[0]} px"


def _problem(problems: list[str]) -> str:
    more = f"; and {len(problems) - 3} more" if len(problems) > 3 else ""
    return f"reviewer describer could not describe {len(problems)} images: {'; '.join(problems[:3])}{more}."
