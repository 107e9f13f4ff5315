"""Raw losses from the values that a trainer logs, which are weighted."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

from torch import Tensor

from lossagent.adapters.basicsr.weights import WeightPlace
from lossagent.weights import Weights


class LossLog:
    """Means of the logged values over a stage, divided by the weights that were in force in it.

    BasicSR's log (``log_dict``) is of the last step. That of traiNNer-redux is a sum over samples since it was last
    shown, beside their number (``loss_samples``); what a step added is taken from it.

    Args:
        model: the trainer's model.
        places: the losses that are steered.
        logs: loss name -> key in the log, where the places do not know it.
    """

    def __init__(self, model: object, places: Sequence[WeightPlace], logs: Mapping[str, str] | None = None) -> None:
        self._model = model
        own = logs or {}
        self._keys = {p.name: (own[p.name],) if p.name in own else p.logged for p in places}
        self._sums: dict[str, Tensor | float] = {}
        self._counts: dict[str, int] = {}

    @contextmanager
    def step(self) -> Generator[None]:
        """Takes in what is logged inside the block: one call of ``optimize_parameters``."""
        sums, samples = self._now()
        yield
        after, count = self._now()
        if count is None or samples is None:
            values = after
        elif count > samples:
            values = {key: (value - sums.get(key, 0.0)) / (count - samples) for key, value in after.items()}
        else:
            return
        for name, keys in self._keys.items():
            found = [values[key] for key in keys if key in values]
            # a loss of several terms is logged term by term, under its key and theirs
            found = found or [v for k, v in values.items() if k.startswith(tuple(f"{key}_" for key in keys))]
            if found:
                # tensors stay where they are: a number of each step would wait for the device
                self._sums[name] = self._sums.get(name, 0.0) + sum(found[1:], found[0])
                self._counts[name] = self._counts.get(name, 0) + 1

    def means(self, weights: Weights) -> dict[str, float]:
        """Loss name -> mean raw value since :meth:`reset`, of losses that were on and logged.

        Args:
            weights: those that were in force.
        """
        return {n: float(v) / self._counts[n] / weights[n] for n, v in self._sums.items() if weights[n] > 0}

    def missing(self, weights: Weights) -> tuple[str, ...]:
        """Losses that were on and of which nothing was logged."""
        return tuple(name for name in self._keys if weights[name] > 0 and name not in self._sums)

    def reset(self) -> None:
        """A new stage begins."""
        self._sums.clear()
        self._counts.clear()

    def _now(self) -> tuple[dict[str, Tensor | float], int | None]:
        logged = cast("Mapping[str, Any] | None", getattr(self._model, "log_dict", None)) or {}
        values = {k: v.detach() if isinstance(v, Tensor) else v for k, v in logged.items() if _is_value(v)}
        samples = getattr(self._model, "loss_samples", None)
        return values, samples if isinstance(samples, int) else None


def _is_value(value: object) -> bool:
    return isinstance(value, int | float) or (isinstance(value, Tensor) and value.numel() == 1)
