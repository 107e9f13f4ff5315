"""Names of tasks that say nothing about them: random, one for each person and task, gone with the process."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass

from lossagent.dashboard.errors import NoSuch

MOST = 200_000
"""Tokens that are remembered; beyond, the oldest are forgotten, and pages ask for their tasks again."""


@dataclass(frozen=True)
class Place:
    """What a token stands for."""

    run: str
    task: str
    rater: str


class Tokens:
    """Both ways between tasks and their tokens; safe between threads."""

    def __init__(self) -> None:
        self._token: OrderedDict[Place, str] = OrderedDict()
        self._place: dict[str, Place] = {}
        self._lock = threading.Lock()

    def of(self, place: Place) -> str:
        """The token of a task for a person."""
        with self._lock:
            if place not in self._token:
                token = self._token[place] = secrets.token_urlsafe(15)
                self._place[token] = place
                if len(self._token) > MOST:
                    _, oldest = self._token.popitem(last=False)
                    del self._place[oldest]
            return self._token[place]

    def place(self, run: str, token: str) -> Place:
        """What a token of a run stands for.

        Raises:
            NoSuch: it was not given out by this process.
        """
        with self._lock:
            place = self._place.get(token)
        if place is None or place.run != run:
            raise NoSuch("there is no such task (any more): ask for the tasks again.")
        return place
