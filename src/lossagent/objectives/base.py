"""What an objective is: the external expert O of eq. (5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from lossagent.feedback import Feedback, MetricFacts

Pixels = NDArray[np.uint8]
"""A restored image as written to disk: uint8, height x width x 3, RGB."""


@runtime_checkable
class Objective(Protocol):
    """Restored images -> Feedback. It may be a metric, several, a model's words or a person."""

    @property
    def facts(self) -> Mapping[str, MetricFacts]:
        """Facts of every metric it gives a score of."""
        ...

    def __call__(self, restored: Mapping[str, Pixels]) -> Feedback:
        """F = O(I_S).

        Args:
            restored: image name -> restored image.
        """
        ...
