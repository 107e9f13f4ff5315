"""What was said in words of the restored images, state by state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lossagent.feedback import Remark
from lossagent.records import REVIEW, State
from lossagent.report.reading import RunData

OPEN = 3
"""Remarks of one state that are shown at once; the others unfold."""
LONGEST = 1200
"""Characters of a remark that the page quotes."""


@dataclass(frozen=True)
class RemarkLine:
    """One remark, foreign text.

    Attributes:
        author: who said it.
        about: the image, "all images" where it is of the whole set.
        text: the words.
    """

    author: str
    about: str
    text: str


@dataclass(frozen=True)
class StateRemarks:
    """What was said of one state.

    Attributes:
        label: ``S3``.
        shown, more: remarks that stand open, and those that unfold.
        problems: (who, why) for what was not said.
        selected: whether it is the selected state.
    """

    label: str
    shown: tuple[RemarkLine, ...]
    more: tuple[RemarkLine, ...]
    problems: tuple[tuple[str, str], ...]
    selected: bool


@dataclass(frozen=True)
class RemarksSection:
    """What the page shows of words.

    Attributes:
        authors: who spoke, in the order of their first words.
        questions: how many questions models were asked for them.
        states: state by state.
    """

    authors: tuple[str, ...]
    questions: int
    states: tuple[StateRemarks, ...]


def remarks_of(run: RunData) -> RemarksSection | None:
    """The section of a run; ``None`` where nobody said anything in words, nor failed to."""
    states = tuple(_states(run))
    if not states:
        return None
    spoken = [r.author for s in run.trajectory.scored if s.feedback is not None for r in s.feedback.remarks]
    asked = sum(e.key.startswith(REVIEW) for one in run.exchanges.values() for e in one)
    return RemarksSection(tuple(dict.fromkeys(spoken)), asked, states)


def _states(run: RunData) -> Iterator[StateRemarks]:
    reviewers = frozenset(run.experiment.get("reviewers") or {}) | {"people", "describer"}
    for state in run.trajectory.scored:
        assert state.feedback is not None
        lines = _lines(state.feedback.remarks)
        problems = tuple((who, why) for who, why in state.feedback.problems.items() if who in reviewers)
        if lines or problems:
            yield StateRemarks(_label(state), lines[:OPEN], lines[OPEN:], problems, state.id == run.selected.id)


def _lines(remarks: Sequence[Remark]) -> tuple[RemarkLine, ...]:
    return tuple(
        RemarkLine(
            author=remark.author,
            about=remark.image if remark.image is not None else "all images",
            text=remark.text if len(remark.text) <= LONGEST else remark.text[: LONGEST - 1].rstrip() + "…",
        )
        for remark in remarks
    )


def _label(state: State) -> str:
    return f"S{state.id}"
