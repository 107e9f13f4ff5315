"""Gradient-norm balancing: weights under which each loss has its share of the gradient. No objective is needed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import Field, field_validator

from lossagent.agents.anchor import anchor_of
from lossagent.agents.base import Agent, Recall, View
from lossagent.agents.settings import AgentOptions
from lossagent.chat.base import ChatModel
from lossagent.errors import Refused, UnknownName
from lossagent.records import Decision
from lossagent.weights import Weights


@dataclass(frozen=True)
class Balance:
    """Moves weights towards w_m |dL_m/dtheta| proportional to target shares, theta being the last layer's weight.

    The rule of GradNorm (Chen et al., "GradNorm: gradient normalization for adaptive loss balancing in deep multitask
    networks", ICML 2018), solved for the weights instead of followed by gradient steps: with ``alpha`` = 0 every loss
    gets its share of the norm; with ``alpha`` > 0 a loss that has fallen less since S_0 than the others gets more, its
    share times r_m^alpha, r_m = (L_m / L_m(0)) / mean over losses, as in their eq. (1). Departures: norms are those
    of fixed batches at the end of a stage (:class:`lossagent.records.Evidence`), the anchor keeps its weight instead of
    the weights' sum being kept, and moves are smoothed in the logarithm. A loss value or a norm that is zero, negative,
    missing or not finite takes no part: that loss keeps its weight, or has r_m = 1.

    Attributes:
        shares: loss name -> share of the gradient norm, in (0, 1]; losses not named split what is left equally.
            Losses that are off or not measured take no part: the others keep their proportions.
        momentum: share of the old logarithm that is kept at a move, in [0, 1).
        alpha: strength of the pull towards equal training rates, >= 0; the paper uses 0.12 to 1.5.
    """

    shares: Mapping[str, float] = field(default_factory=dict[str, float])
    momentum: float = 0.5
    alpha: float = 0.0
    name: str = "balance"
    needs_restart: bool = False
    needs_utility: bool = False

    def __post_init__(self) -> None:
        _require_shares(self.shares)
        if not 0 <= self.momentum < 1:
            raise Refused(f"momentum of the balancing agent must be in [0, 1); found {self.momentum}.")
        if not (math.isfinite(self.alpha) and self.alpha >= 0):
            raise Refused(f"alpha of the balancing agent must be a finite number >= 0; found {self.alpha}.")

    def decide(self, view: View, recall: Recall) -> Decision:
        """Balanced weights, from the head; the previous ones where fewer than two losses were measured.

        Raises:
            Refused: shares that do not fit the losses of the run.
        """
        del recall
        fit_shares(self.shares, view.trajectory.initial)
        before = view.previous
        evidence = view.head.report.evidence if view.head.report is not None else None
        norms = _usable(evidence.layer_norms if evidence is not None else {}, before)
        if len(norms) < 2:
            thoughts = "Gradient norms at the last layer were not measured for two losses: the weights stay."
            if not norms:
                thoughts = "No gradient norm at the last layer was measured: the weights stay."
            return self._decision(view, before, thoughts)
        targets = self._targets(view, norms)
        anchor = anchor_of(before, view.bounds)
        if anchor not in norms:
            anchor = next(iter(norms))
        magnitudes = dict(before.magnitudes)
        for name in norms:
            if name == anchor or name in view.bounds.frozen:
                continue
            wanted = before[anchor] * norms[anchor] / targets[anchor] * targets[name] / norms[name]
            kept = self.momentum * math.log(before[name])
            magnitudes[name] = math.exp(kept + (1 - self.momentum) * math.log(wanted))
        total = sum(before[name] * norm for name, norm in norms.items())
        found = ", ".join(f"{name} {before[name] * norm / total:.2g}" for name, norm in norms.items())
        wishes = ", ".join(f"{name} {target / sum(targets.values()):.2g}" for name, target in targets.items())
        weights = Weights(magnitudes=magnitudes, off=before.off)
        return self._decision(view, weights, f"Shares of the gradient: {found}; wanted: {wishes}.")

    def _decision(self, view: View, weights: Weights, thoughts: str) -> Decision:
        return Decision(
            author=self.name, proposed=weights, weights=weights, restart_from=view.head.id, thoughts=thoughts
        )

    def _targets(self, view: View, norms: Mapping[str, float]) -> dict[str, float]:
        """Target shares of the losses that were measured, up to a common factor."""
        on = [name for name in view.previous.names if name not in view.previous.off]
        rest = [name for name in on if name not in self.shares]
        left = (1 - sum(self.shares.values())) / max(len(rest), 1)
        rates = self._rates(view, norms)
        return {name: self.shares.get(name, left) * rates.get(name, 1.0) ** self.alpha for name in norms}

    def _rates(self, view: View, names: Iterable[str]) -> dict[str, float]:
        """r_m: how much of a loss is left since S_0, over the mean of that."""
        if self.alpha == 0 or view.head.report is None or view.trajectory.start.report is None:
            return {}
        now, start = view.head.report.evidence.raw, view.trajectory.start.report.evidence.raw
        left = {n: now[n] / start[n] for n in names if _positive(now.get(n)) and _positive(start.get(n))}
        mean = sum(left.values()) / max(len(left), 1)
        return {name: value / mean for name, value in left.items()}


def _positive(value: float | None) -> bool:
    return value is not None and math.isfinite(value) and value > 0


def _usable(norms: Mapping[str, float], weights: Weights) -> dict[str, float]:
    """Norms of the losses that are on, in the order of the weights, without those that say nothing."""
    return {n: norms[n] for n in weights.names if n not in weights.off and _positive(norms.get(n))}


def _require_shares(shares: Mapping[str, float]) -> None:
    for name, share in shares.items():
        if not 0 < share <= 1:
            raise Refused(f"share of {name!r} must be in (0, 1]; found {share}.")
    if sum(shares.values()) > 1 + 1e-9:
        raise Refused(f"shares must not sum to more than 1; found {dict(shares)}.")


def fit_shares(shares: Mapping[str, float], initial: Weights) -> None:
    """Raises Refused where shares name losses that the run has not, or leave nothing for those they do not name."""
    for name in shares:
        if name not in initial.magnitudes:
            raise UnknownName("loss in shares", name, initial.names)
    rest = [name for name in initial.names if name not in shares]
    if rest and sum(shares.values()) > 1 - 1e-9:
        raise Refused(f"shares sum to 1 and leave nothing for {', '.join(rest)}; found {dict(shares)}.")


class BalanceSettings(AgentOptions):
    """Each loss gets its share of the gradient; see :class:`Balance`."""

    kind: Literal["balance"] = "balance"
    shares: dict[str, float] = Field(default={})
    momentum: float = Field(default=0.5, ge=0, lt=1)
    alpha: float = Field(default=0.0, ge=0, allow_inf_nan=False)

    @field_validator("shares")
    @classmethod
    def _valid(cls, value: dict[str, float]) -> dict[str, float]:
        _require_shares(value)
        return value

    def fits(self, initial: Weights) -> None:
        """Shares are of the run's losses."""
        fit_shares(self.shares, initial)

    def bare(self, chat: ChatModel | None) -> Agent:
        """Needs nothing."""
        del chat
        return Balance(self.shares, self.momentum, self.alpha)
