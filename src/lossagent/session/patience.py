"""Waiting for people inside the process, with nothing held but the run's lease."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable

from lossagent.errors import Waiting

PATIENCE = 3600.0
"""Seconds that a paused run waits before its process ends."""
POLL = 0.5
"""Seconds between two looks into the mailbox."""


class Patience:
    """How long a process waits for people.

    Args:
        seconds: longest time without a letter, 0 to end at once.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._since, self._answers = 0.0, 0
        self._moment: Hashable = None

    def begins(self, moment: Hashable, answers: int) -> bool:
        """Whether a wait begins, as opposed to going on after a letter that was not the last one needed.

        Args:
            moment: what the run has come to; the same while it waits for the same thing.
            answers: how many answers there are; patience begins anew with each, and with no other letter.
        """
        begins, self._moment = moment != self._moment, moment
        if begins or answers != self._answers:
            self._since, self._answers = time.monotonic(), answers
        return begins

    def wait(self, waiting: Waiting, collect: Callable[[], int]) -> bool:
        """Waits for a letter or the deadline; whether one of them came.

        Args:
            waiting: what is waited for.
            collect: reads the mailbox; gives the number of new letters.
        """
        while True:
            if collect():
                return True
            if waiting.until is not None and time.time() >= waiting.until:
                return True
            if time.monotonic() - self._since >= self.seconds:
                return False
            time.sleep(POLL)
