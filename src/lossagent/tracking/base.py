"""What a tracker is told, and what it has to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable


@dataclass(frozen=True)
class Row:
    """A decision as a row of a table.

    Attributes:
        state, parent: what it led to, and from where.
        author: who decided.
        weights: loss -> weight, 0 where off.
        scores: metric -> mean on the feedback images, ``None`` where there is none.
        adjusted_by: what changed the proposal.
        thoughts: reasons in words, foreign text.
    """

    state: int
    parent: int | None
    author: str
    weights: dict[str, float]
    scores: dict[str, float | None]
    adjusted_by: tuple[str, ...]
    thoughts: str

    def cells(self) -> dict[str, str | int | float | None]:
        """Column -> value; the same columns in every row of a run whose metrics stay the same."""
        return {
            "state": self.state,
            "parent": self.parent,
            "author": self.author,
            **{f"weight/{name}": value for name, value in self.weights.items()},
            **{f"score/{name}": value for name, value in self.scores.items()},
            "adjusted by": ", ".join(self.adjusted_by),
            "thoughts": self.thoughts,
        }


@dataclass(frozen=True)
class Moment:
    """A scored state as a tracker is told of it.

    Attributes:
        state: its id.
        step: iterations spent in all when it was reached, rejected stages included.
        curves: ``score/niqe``, ``weight/gan``, ``gradient share/gan``; finite numbers.
        losses: (iterations spent, ``loss/l1`` -> raw value) of the stage that led to it, in order.
        pictures: restored images, a few.
        row: the decision behind it; ``None`` for S_0.
    """

    state: int
    step: int
    curves: dict[str, float]
    losses: tuple[tuple[int, dict[str, float]], ...]
    pictures: tuple[Path, ...]
    row: Row | None


@runtime_checkable
class Tracker(Protocol):
    """A mirror of one run. Every call comes from one thread, and whatever it raises is no harm to the run."""

    def open(self, known: str | None) -> str:
        """Begins, or goes on with the tracker's own run.

        Args:
            known: what an earlier process was given for this run; ``None`` for a new one.

        Returns:
            The name under which a later process finds it again.
        """
        ...

    def mirror(self, moment: Moment) -> None:
        """Mirrors a state, once; states come in the order of decisions."""
        ...

    def close(self, rows: Sequence[Row]) -> None:
        """Ends this process's part; ``rows`` are all decisions so far, those of earlier processes too."""
        ...
