"""Training images that turned out to be damaged: left out, counted, told once, and too many end the run."""

from __future__ import annotations

import threading

from lossagent.data.images import CorruptImage
from lossagent.errors import Failed, Refused


class Damage:
    """Which images of a training set could not be decoded. Safe to share between threads.

    It never decides what is drawn: whether an image is damaged is a fact of its file, so samplers that have met
    different images so far still draw alike.

    Args:
        total: images of the set.
        limit: share of them that may be damaged, 0 to 1. The set always needs one whole image.

    Raises:
        Refused: a share outside 0..1.
    """

    def __init__(self, total: int, limit: float) -> None:
        if not 0 <= limit <= 1:
            raise Refused(f"max_damaged must be a share from 0 to 1; found {limit}.")
        self.total, self.limit = total, limit
        self._found: dict[int, str] = {}
        self._told = 0
        self._lock = threading.Lock()

    def __contains__(self, number: int) -> bool:
        return number in self._found

    def add(self, number: int, error: CorruptImage) -> None:
        """Counts image ``number`` once.

        Raises:
            Failed: more than the limit are damaged; names the first three.
        """
        with self._lock:
            self._found.setdefault(number, str(error))
            count = len(self._found)
            if count > self.limit * self.total or count == self.total:
                first = " ".join(list(self._found.values())[:3])
                raise Failed(
                    f"{count} of {self.total} training images cannot be used, {count / self.total:.1%}; at most "
                    f"{self.limit:.1%} may be damaged (max_damaged). The first: {first}"
                )

    def notices(self) -> tuple[str, ...]:
        """A sentence for each damaged image found since the last call."""
        with self._lock:
            fresh = list(self._found.values())[self._told :]
            self._told = len(self._found)
        return tuple(f"left out of training: {text}" for text in fresh)
