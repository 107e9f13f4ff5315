"""Training images and the sets of images kept apart."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from lossagent.experiment.base import NAME, Settings
from lossagent.experiment.degradations import BicubicSettings, DegradationSettings


class ImagesSettings(Settings):
    """A set of images, or a part of one.

    Attributes:
        images: folders (or single files) of ground-truth images.
        low: folder of ready-made low-quality images, matched by name; without it they are made by ``degradation``.
        match: how names of ready-made pairs fit together: equal ``name``; ``rain``, ``rain-1`` with ``norain-1``;
            ``haze``, the clean name is what stands before the first ``_``; ``null`` looks which fits and says so.
        reference: ``false`` for a set that has low-quality images only (then ``images`` holds those).
        count: how many are drawn at random (by the experiment's seed, recorded), ``null`` for all.
        without: sets whose images are left out here, e.g. ``[feedback]`` for the rest of a folder that feedback images
            are drawn from.
        demo: part of the photographs that ship in Python packages, in place of ``images``.
        degradation: how low-quality images of this set are made, in place of the experiment's way.
        condition: what the images suffer from, e.g. ``noise25``; scores are averaged within conditions first.
        crop: images are cropped at the centre to multiples of it (PromptIR's evaluation: 16).
        weight: how often training draws from this part, relative to the others.
    """

    images: tuple[str, ...] = ()
    low: str | None = None
    match: Literal["name", "rain", "haze"] | None = None
    reference: bool = True
    count: int | None = Field(default=None, ge=1)
    without: tuple[str, ...] = ()
    demo: Literal["train", "feedback", "selection", "test"] | None = None
    degradation: DegradationSettings | None = None
    condition: str | None = Field(default=None, pattern=NAME)
    crop: int = Field(default=1, ge=1)
    weight: float = Field(default=1.0, gt=0, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:  # noqa: ANN401  (raw YAML)
        """A path or a list of paths may stand for the whole."""
        if isinstance(value, str):
            return {"images": [value]}
        return {"images": value} if isinstance(value, list) else value  # pyright: ignore[reportUnknownVariableType]

    @model_validator(mode="after")
    def _valid(self) -> ImagesSettings:
        if bool(self.images) == bool(self.demo):
            raise ValueError("an image set needs a folder of images (or demo: PART), and only one of them")
        if self.low is not None and self.degradation is not None:
            raise ValueError("an image set has ready-made inputs (low) or a degradation, not both")
        if not self.reference and (self.low is not None or self.degradation is not None):
            raise ValueError("a set without references holds the inputs themselves: neither low nor degradation")
        return self


def _one_or_parts(value: Any) -> str:  # noqa: ANN401  (raw YAML)
    listed = isinstance(value, (list, tuple)) and not all(isinstance(v, str) for v in value)  # pyright: ignore[reportUnknownVariableType]
    return PARTS if listed else ONE


ONE, PARTS = "one set", "parts"
SetSettings = Annotated[
    Annotated[ImagesSettings, Tag(ONE)] | Annotated[tuple[ImagesSettings, ...], Tag(PARTS)],
    Discriminator(_one_or_parts),
]
"""A set of images, or a list of parts with weights and conditions of their own."""


def parts(settings: ImagesSettings | tuple[ImagesSettings, ...]) -> tuple[ImagesSettings, ...]:
    """The parts of a set; one that has none is its only part."""
    return (settings,) if isinstance(settings, ImagesSettings) else settings


class DataSettings(Settings):
    """Training images and the sets of images kept apart.

    Attributes:
        train: the images that are trained on.
        feedback: the images whose scores the agent sees after each stage.
        selection: the images that choose the checkpoint to keep; without them the last state is reported.
        test: name -> set that is reported and never used for a choice.
        degradation: how low-quality images are made.
        patch: side of a training patch in low-quality pixels.
        jitter: crops start at any pixel, not only at multiples of the scale (against grid artefacts).
        overlap: ``refuse`` photographs that stand in two sets, or take them as ``declared`` and report without them
            too.
        allow: pairs of image names that may resemble each other.
        cache: megabytes of decoded images kept in memory.
        max_damaged: share of training images that may turn out unreadable; they are left out, named and counted.
    """

    train: SetSettings
    feedback: SetSettings
    selection: SetSettings | None = None
    test: dict[Annotated[str, Field(pattern=NAME)], SetSettings] = Field(default={})
    degradation: DegradationSettings = BicubicSettings()
    patch: int = Field(default=64, ge=8)
    jitter: bool = False
    overlap: Literal["refuse", "declared"] = "refuse"
    allow: tuple[tuple[str, str], ...] = ()
    cache: int = Field(default=4096, ge=16)
    max_damaged: float = Field(default=0.01, ge=0, le=1)

    def place(self, name: str) -> str:
        """Where a set stands: ``data.feedback``, ``data.test.Set5``."""
        return f"data.test.{name}" if name in self.test else f"data.{name}"

    @property
    def sets(self) -> dict[str, tuple[ImagesSettings, ...]]:
        """Role, or name of a test set, -> its parts."""
        named = {"train": self.train, "feedback": self.feedback} | self.test
        if self.selection is not None:
            named["selection"] = self.selection
        return {name: parts(settings) for name, settings in named.items()}
