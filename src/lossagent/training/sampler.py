"""What the trainer needs of a source of training data."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from lossagent.data import Batch


@runtime_checkable
class Sampler(Protocol):
    """A source of batches: which data comes depends on (seed, window, iteration, slot) alone."""

    def batch(self, window: int, iteration: int, batch_size: int, first: int = 0, count: int | None = None) -> Batch:
        """Slots ``first .. first + count - 1`` of the batch of an iteration of a window; all of it by default."""
        ...

    def notices(self) -> tuple[str, ...]:
        """Sentences for the reader of the run since the last call: images that were left out, ..."""
        ...
