"""The same state told a second time: the first record stands."""

from __future__ import annotations

import warnings

from lossagent.events import Retold, Scored
from lossagent.feedback import Feedback
from lossagent.records import State
from lossagent.steering.book import Book


def retell(book: Book, known: State, second: Feedback) -> None:
    """Records that a scored state was told again, and warns where the scores differ and the run goes back to it.

    Args:
        book: the run's.
        known: the state.
        second: what was told now.
    """
    # Compared as text: a NaN told twice is the same content.
    differs = _first(book, known).model_dump_json() != second.model_dump_json()
    head = book.trajectory.head
    if differs or head.id != known.id:
        book.append(Retold(state=known.id, difference=f"told again with {second.means()}" if differs else ""))
        if differs and known.depth < head.depth:
            warnings.warn(
                f"state {known.id} was told before, with other scores: its first record stands, and the run goes "
                "on from it. If the network is further than that, say so: ask(at=...).",
                stacklevel=4,  # the caller of Steering.tell
            )


def _first(book: Book, known: State) -> Feedback:
    """The feedback as it was told, without what people have said since."""
    told = (e.feedback for e in book.log.events if isinstance(e, Scored) and e.state == known.id)
    return next(told, known.feedback or Feedback())
