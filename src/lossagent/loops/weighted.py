"""The weighted sum of eq. (1) for loops of your own, under the weights of the stage."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import combinations
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from lossagent.errors import Refused, UnknownName
from lossagent.records import Evidence
from lossagent.weights import Weights

Term = Callable[[Tensor, Tensor], Tensor]
"""(restored, target) -> scalar."""


@runtime_checkable
class Weighs(Protocol):
    """Whatever says which weights to train with now: a :class:`lossagent.Steering`."""

    @property
    def weights(self) -> Weights:
        """The weights of the stage."""
        ...


class WeightedSum(nn.Module):
    """L = sum_m w_m L_m, eq. (1), whose weights follow a steering object; it keeps what agents want to know.

    ::

        criterion = WeightedSum(steering, {"l1": nn.L1Loss(), "perceptual": perceptual})
        loss = criterion(restored, target)                       # or, of terms that were computed elsewhere:
        loss = criterion.combine({"l1": l1, "gan": gan}, restored)

    What is computed in evaluation mode or without gradients, as in a validation, is summed up and not counted.

    Args:
        steering: whose weights are followed.
        terms: loss name -> (restored, target) -> scalar; modules among them move with this one. Every loss of the
            steering is one of these or comes to :meth:`combine`.
        measure_every: calls between two measurements of the gradients that the terms send to the restored images; one
            costs a backward pass through each loss. 0 for none.

    Raises:
        Refused: a negative ``measure_every``, or a steering that has no weights.
        UnknownName: a term that is no loss of the steering.
    """

    def __init__(self, steering: Weighs, terms: Mapping[str, Term] | None = None, *, measure_every: int = 100) -> None:
        super().__init__()
        if "weights" not in dir(steering):  # asking for it may be too early
            raise Refused(
                f"a WeightedSum follows a steering, from lossagent.steer(); found a {type(steering).__name__}."
            )
        if measure_every < 0:
            raise Refused(f"measure_every must be 0 or more calls; found {measure_every}.")
        self._steering, self.measure_every = steering, measure_every
        self._terms = dict(terms or {})
        for name in self._terms:
            self._known(name)
        # Losses may have buffers and networks: registered, they move and are switched with this module.
        modules = {f"loss_{n}": t for n, t in self._terms.items() if isinstance(t, nn.Module)}  # "keys" is taken
        self.modules_of_terms = nn.ModuleDict(modules)
        self._calls = 0
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}
        self._gradients: list[tuple[dict[str, Tensor], dict[str, Tensor]]] = []

    @property
    def weights(self) -> Weights:
        """The weights that are in force."""
        return self._steering.weights

    def forward(self, restored: Tensor, target: Tensor) -> Tensor:
        """The sum over the terms that are on; the others are not computed.

        Args:
            restored: output of the network, any shape that the terms take.
            target: ground truth.

        Raises:
            Refused: a loss of the steering is no term here.
        """
        weights = self.weights
        missing = [name for name in weights.names if name not in self._terms]
        if missing:
            raise Refused(f"the losses {', '.join(missing)} are no terms of this sum: give them, or call combine().")
        return self.combine({n: t(restored, target) for n, t in self._terms.items() if weights[n] > 0}, restored)

    def combine(self, values: Mapping[str, Tensor], restored: Tensor | None = None) -> Tensor:
        """The weighted sum of raw terms.

        Args:
            values: loss name -> unweighted scalar, differentiable; those that are off may be left out.
            restored: the images that they were computed from, to measure gradients at.

        Raises:
            UnknownName: a value of no loss.
            Refused: a loss that is on has no value, or one is no tensor with one value.
        """
        weights = self.weights
        scalars = {name: self._scalar(name, value) for name, value in values.items()}
        on = {name: weights[name] for name in weights.names if weights[name] > 0}
        if missing := [name for name in on if name not in scalars]:
            raise Refused(f"values must have every loss that is on; missing: {', '.join(missing)}.")
        if self.training and torch.is_grad_enabled():
            self._count(scalars, restored)
        return torch.stack([weight * scalars[name] for name, weight in on.items()]).sum()

    def _scalar(self, name: str, value: object) -> Tensor:
        self._known(name)
        if not isinstance(value, Tensor) or value.numel() != 1:
            found = f"a tensor {list(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
            raise Refused(f"the loss {name!r} must be a tensor with one value; found {found}. Take its mean, for one.")
        return value.reshape(())

    def _count(self, scalars: Mapping[str, Tensor], restored: Tensor | None) -> None:
        for name, value in scalars.items():
            # Half precision would stop growing after some hundred terms.
            self._sums[name] = self._sums.get(name, 0) + value.detach().double()
            self._counts[name] = self._counts.get(name, 0) + 1
        if self.measure_every and self._calls % self.measure_every == 0 and restored is not None:
            self._measure(scalars, restored)
        self._calls += 1

    def means(self) -> dict[str, float]:
        """Loss name -> its mean raw value since :meth:`reset`."""
        return {name: float(total) / self._counts[name] for name, total in self._sums.items()}

    def evidence(self) -> Evidence:
        """Raw values and gradients on the training batches since :meth:`reset`, means over the measurements.

        The built-in trainer measures on fixed batches; these are of batches as they came, so they are noisier.
        """
        if not self._gradients:
            return Evidence()
        norms: dict[str, list[float]] = {}
        cosines: dict[str, list[float]] = {}
        for norm, cosine in self._gradients:
            for name, value in norm.items():
                norms.setdefault(name, []).append(float(value))
            for name, value in cosine.items():
                cosines.setdefault(name, []).append(float(value))
        return Evidence(raw=self.means(), image_norms=_means(norms), cosines=_means(cosines))

    def shares(self) -> dict[str, float]:
        """Share of each loss in the gradient at the restored images, under the weights in force; in [0, 1]."""
        return self.evidence().shares(self.weights)

    def reset(self) -> None:
        """Forgets means and measurements: a new stage begins."""
        self._sums.clear()
        self._counts.clear()
        self._gradients.clear()
        self._calls = 0

    def _known(self, name: str) -> None:
        if name not in self.weights.names:
            raise UnknownName("loss", name, self.weights.names)

    def _measure(self, values: Mapping[str, Tensor], restored: Tensor) -> None:
        if not restored.requires_grad:
            return
        found: dict[str, Tensor] = {}
        for name, value in values.items():
            if value.requires_grad:
                found[name] = torch.autograd.grad(value, restored, retain_graph=True, materialize_grads=True)[
                    0
                ].detach()
            else:
                found[name] = torch.zeros_like(restored)
        norms = {name: gradient.double().norm() for name, gradient in found.items()}
        cosines = {
            f"{a}|{b}": (found[a].double() * found[b].double()).sum() / (norms[a] * norms[b]).clamp(min=1e-300)
            for a, b in combinations(found, 2)
        }
        self._gradients.append((norms, cosines))


def _means(values: Mapping[str, list[float]]) -> dict[str, float]:
    return {name: math.fsum(found) / len(found) for name, found in values.items()}
