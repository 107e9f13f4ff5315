"""Loss weights and the bounds that an agent's answer is held to.

A weight is a positive *magnitude* plus an on/off switch, so that "off" is not a very small number and
switching a loss back on returns to where it was. In text, a zero means off:
``l1:perceptual:gan=1.0:0.1:0.01``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, model_validator

from lossagent.errors import Refused

FLOOR = 1e-6
"""Magnitude given to a loss that is off and never had another one."""


class Weights(BaseModel):
    """The weights w of one stage, eq. (1): L = sum_m w_m L_m.

    Attributes:
        magnitudes: loss name -> finite number > 0, in the order of the loss repository.
        off: names that are switched off; at least one loss is on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    magnitudes: dict[str, float]
    off: frozenset[str] = frozenset()

    @model_validator(mode="after")
    def _valid(self) -> Weights:
        for name, magnitude in self.magnitudes.items():
            if not (math.isfinite(magnitude) and magnitude > 0):
                raise ValueError(f"weight {name!r} must have a finite magnitude > 0; found {magnitude!r}")
        if unknown := self.off - self.magnitudes.keys():
            raise ValueError(f"weights switched off but not present: {sorted(unknown)}")
        if not self.magnitudes.keys() - self.off:
            raise ValueError("at least one loss must be on; found every weight 0")
        return self

    @classmethod
    def of(cls, values: Mapping[str, float], keep: Weights | None = None) -> Weights:
        """Weights from plain numbers; 0 means off.

        Args:
            values: loss name -> finite number >= 0.
            keep: earlier weights whose magnitude a loss that is switched off keeps.

        Raises:
            Refused: a number that is negative, NaN or infinite, or all numbers 0.
        """
        for name, value in values.items():
            if not math.isfinite(value) or value < 0:
                raise Refused(f"weight {name!r} must be a finite number >= 0 (0 = off); found {value!r}.")
        if not any(values.values()):
            raise Refused(f"at least one weight must be > 0; found {dict(values)}.")
        earlier = keep.magnitudes if keep is not None else {}
        return cls(
            magnitudes={n: float(v) if v > 0 else earlier.get(n, FLOOR) for n, v in values.items()},
            off=frozenset(n for n, v in values.items() if v == 0),
        )

    @classmethod
    def parse(cls, text: str, names: tuple[str, ...] | None = None, keep: Weights | None = None) -> Weights:
        """Reads ``l1:perceptual:gan=1.0:0.1:0.01``; with ``names`` given they must be those, in any case.

        Raises:
            Refused: another form, other names, or numbers that :meth:`of` refuses.
        """
        match = re.fullmatch(r"\s*([\w:.\- ]+?)\s*=\s*([^=]+?)\s*", text)
        found = [n.strip() for n in match[1].split(":")] if match else []
        numbers = match[2].split(":") if match else []
        if not found or len(found) != len(numbers) or len(set(found)) != len(found):
            raise Refused(f"weights must look like 'l1:perceptual=1.0:0.1'; found {text!r}.")
        if names is not None:
            lower = {n.lower(): n for n in names}
            if sorted(n.lower() for n in found) != sorted(lower):
                raise Refused(f"weights must name {':'.join(names)}; found {':'.join(found)}.")
            found = [lower[n.lower()] for n in found]
        try:
            values = {n: float(x) for n, x in zip(found, numbers, strict=True)}
        except ValueError:
            raise Refused(f"weights must be numbers; found {match[2] if match else text!r}.") from None
        ordered = {n: values[n] for n in names} if names is not None else values
        return cls.of(ordered, keep)

    @property
    def names(self) -> tuple[str, ...]:
        """Loss names in order."""
        return tuple(self.magnitudes)

    def __getitem__(self, name: str) -> float:
        """The effective weight: 0 where the loss is off."""
        return 0.0 if name in self.off else self.magnitudes[name]

    def values(self) -> dict[str, float]:
        """name -> effective weight, 0 where off."""
        return {name: self[name] for name in self.magnitudes}

    def log_ratios(self, anchor: str) -> dict[str, float]:
        """name -> log(magnitude / magnitude of the anchor): what a scale-blind optimiser can feel."""
        return {n: math.log(m / self.magnitudes[anchor]) for n, m in self.magnitudes.items()}

    def __str__(self) -> str:
        return f"{':'.join(self.names)}={':'.join(f'{self[n]:.6g}' for n in self.names)}"


class Bounds(BaseModel):
    """What an answer is projected into: a box for each loss and a trust region.

    Attributes:
        low: the smallest weight that a loss which is on may have; ``None`` sets none, as the paper's recipes do.
        high: the largest weight that a loss may have; ``None`` sets none, as the paper's recipes do.
        per_loss: loss name -> [low, high], in place of the common ones.
        trust: largest factor by which a weight may change in one stage, the trust region; ``None`` sets none.
        frozen: losses whose weight may not change, e.g. the anchor of log-ratios.
        switch: whether a loss may be switched on or off.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    low: float | None = 1e-4
    high: float | None = 10.0
    per_loss: dict[str, tuple[float, float]] = {}
    trust: float | None = 4.0
    frozen: frozenset[str] = frozenset()
    switch: bool = True

    @model_validator(mode="after")
    def _valid(self) -> Bounds:
        pairs = {"low/high": (self.low or FLOOR, self.high or math.inf), **self.per_loss}
        for name, (low, high) in pairs.items():
            if not 0 < low <= high:
                raise ValueError(f"bounds {name} must satisfy 0 < low <= high; found {low}, {high}")
        if self.trust is not None and not self.trust > 1:
            raise ValueError(f"trust must be a factor > 1 or null; found {self.trust}")
        return self

    @classmethod
    def none(cls) -> Bounds:
        """Only w >= 0: what the paper states."""
        return cls(low=None, high=None, trust=None)

    def box(self, name: str) -> tuple[float, float]:
        """(low, high) of one loss."""
        return self.per_loss.get(name, (self.low or FLOOR, self.high or math.inf))

    def project(self, proposed: Weights, previous: Weights) -> Weights:
        """The nearest allowed weights (in log-magnitude) to a proposal.

        Args:
            proposed: an agent's answer, of the same losses as ``previous``.
            previous: the weights of the state that the next stage starts from.
        """
        magnitudes: dict[str, float] = {}
        for name, magnitude in proposed.magnitudes.items():
            before = previous.magnitudes[name]
            low, high = self.box(name)
            # A loss that never had a weight has no size yet that a trust region could be around.
            unborn = name in previous.off and before == FLOOR
            if self.trust is not None and not unborn:
                low, high = max(low, before / self.trust), min(high, before * self.trust)
                # A start outside the box walks back into it as fast as the trust region allows.
                low, high = (low, high) if low <= high else ((low, low) if before > high else (high, high))
            # And as long as it stays off it has none: a floor here would become the centre of the trust region later.
            stays = name in self.frozen or (unborn and name in proposed.off)
            magnitudes[name] = before if stays else min(max(magnitude, low), high)
        off = proposed.off if self.switch else previous.off
        off = (off - self.frozen) | (previous.off & self.frozen)
        return Weights(magnitudes=magnitudes, off=off if magnitudes.keys() - off else previous.off)
