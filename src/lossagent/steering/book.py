"""The log of a run and the trajectory that it folds to."""

from __future__ import annotations

from collections.abc import Callable

from lossagent.events import Answered, AnyEvent
from lossagent.records import Exchange, Recall
from lossagent.runs import Log
from lossagent.trajectory import Trajectory


class Book:
    """Appends events and keeps their fold.

    Args:
        log: where events go; it holds a ``started`` event.
        on_event: called after each recorded event with the new trajectory.
    """

    def __init__(self, log: Log, on_event: Callable[[Trajectory], None] | None = None) -> None:
        self.log, self._on_event = log, on_event
        self.trajectory = Trajectory.fold(log.events)

    def append(self, event: AnyEvent) -> None:
        """Adds an event; on return it is durable."""
        self.log.append(event)
        self.trajectory = Trajectory.fold(self.log.events)
        if self._on_event is not None:
            self._on_event(self.trajectory)

    def recall(self, state: int, prefix: str = "") -> Recall:
        """Makes exchanges about a state, each once.

        Args:
            state: which.
            prefix: put before keys, where the same questions may have been asked under other circumstances.
        """

        def recall(key: str, make: Callable[[], Exchange]) -> Exchange:
            key = prefix + key
            if (known := self.log.exchanges(state).get(key)) is not None:
                return known
            exchange = make().model_copy(update={"key": key})
            self.log.record(state, exchange)
            tokens = exchange.prompt_tokens + exchange.completion_tokens
            usable = exchange.problem is None
            self.append(Answered(state=state, key=key, usable=usable, tokens=tokens, seconds=exchange.seconds))
            return exchange

        return recall
