"""What people were asked and said, as the pages show it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from lossagent.dashboard.states import Plain
from lossagent.judgements import Panel, Question, Task, side_of
from lossagent.letters import Comment, Letter, NextWeights, Rating, Undo
from lossagent.mailbox import Mailbox, Received
from lossagent.preferences import comparisons_of, consistency, strengths
from lossagent.trajectory import Trajectory
from lossagent.weights import Weights

AGAIN = 10.0
"""Seconds after which a mailbox is looked through although its folder has not changed."""
SAYINGS = {"pause": "pause", "go-on": "go on", "stop": "stop"}


class Letterbox:
    """The letters that a run has not read yet, looked at from outside.

    Args:
        run: the run folder.
    """

    def __init__(self, run: Path) -> None:
        self._mailbox = Mailbox(run)
        self._letters: tuple[Received, ...] = ()
        self._seen: int | None = None
        self._looked = 0.0

    def read(self, read: frozenset[str]) -> tuple[tuple[str, Letter], ...]:
        """(id, letter) of each that is whole and not among those that were read, in order."""
        try:
            seen = self._mailbox.folder.stat().st_mtime_ns
            # A file that was still being written at the last look changes nothing about the folder.
            if seen != self._seen or time.monotonic() - self._looked > AGAIN:
                self._letters = tuple(one for _, several in self._mailbox.waiting() for one in several)
                self._seen, self._looked = seen, time.monotonic()
        except OSError:
            self._letters, self._seen = (), None
        return tuple((one.id, one.letter) for one in self._letters if one.letter is not None and one.id not in read)


def saying(request: Letter) -> str:
    """A request in words."""
    match request:
        case NextWeights(weights=weights):
            return f"weights {Weights.of(weights)}"
        case Undo(state=state):
            return f"start from S_{state}"
        case Rating() | Comment():
            return request.kind
        case _:
            return SAYINGS[request.kind]


def requests_of(trajectory: Trajectory, pending: Iterable[tuple[str, Letter]]) -> list[Plain]:
    """What people asked for and no decision has followed yet; ``pending`` where the run has not read it."""
    heard = [*trajectory.requests, *(r for r in (trajectory.paused, trajectory.stopped) if r is not None)]
    shown = [{"author": r.request.author, "text": saying(r.request), "pending": False} for r in heard]
    for _, letter in pending:
        if not isinstance(letter, Rating | Comment):
            shown.append({"author": letter.author, "text": saying(letter), "pending": True})
    return shown


def unanswered(panel: Panel, pending: Sequence[tuple[str, Letter]], raters: int) -> int:
    """How many open tasks have fewer answers than were asked for, letters on their way counted."""
    answers: dict[str, set[str]] = {}
    for judgement in panel.judgements:
        answers.setdefault(judgement.task, set()).add(judgement.rater)
    for _, letter in pending:
        if isinstance(letter, Rating):
            answers.setdefault(letter.task, set()).add(letter.rater)
    return sum(len(answers.get(task.id, ())) < raters for task in panel.open)


def open_for(panel: Panel, pending: Sequence[tuple[str, Letter]], rater: str) -> list[tuple[Question, Task]]:
    """The open tasks that a person has not answered, in the order in which they were asked."""
    done = {j.task for j in panel.judgements if j.rater == rater}
    done |= {letter.task for _, letter in pending if isinstance(letter, Rating) and letter.rater == rater}
    return [(q, t) for q in panel.questions if not q.closed for t in q.tasks if t.id not in done]


def awaited(panel: Panel) -> Question | None:
    """The question that the run waits for."""
    return next((q for q in panel.questions if not q.closed), None)


def panel_of(panel: Panel) -> Plain:
    """Counts, consistency and strengths."""
    judgements = panel.judgements
    found = consistency(panel.tasks, judgements)
    compared = comparisons_of(panel.tasks, judgements)
    known = strengths(compared, side_of(0)) if compared else {}
    return {
        "comparisons": sum(j.verdict is not None for j in judgements),
        "ratings": sum(j.rating is not None for j in judgements),
        "comments": sum(bool(j.comment.strip()) for j in judgements),
        "raters": list(panel.raters),
        "consistency": {"repeated": found.repeated, "agreed": found.agreed} if found.repeated else None,
        "strengths": {side: {"value": s.value, "low": s.low, "high": s.high} for side, s in known.items()},
    }
