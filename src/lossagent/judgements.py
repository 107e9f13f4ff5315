"""What people are asked about restored images, and what they answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import Field

from lossagent.records import Record

Verdict = Literal["left", "right", "tie"]
Purpose = Literal["feedback", "final"]
PREFERENCE = "preference"
"""Metric: log odds of being preferred to S_0 in blind pairs; higher is better."""
RATING = "rating"
"""Metric: mean mark from 1 (bad) to 5 (excellent); higher is better."""


def side_of(state: int) -> str:
    """The side of a pair that shows a state's feedback images."""
    return f"state-{state:04d}"


class Task(Record):
    """One question to people.

    A *side* is a folder of restored images of the run, under ``images/``: ``state-0003``, or ``Set14/selected`` in
    the final pairs. Sides stand in random order, and whoever answers is not told which is which.

    Attributes:
        id: names it within the run.
        kind: which of two is better, a mark from 1 to 5, or words.
        image: name of the image.
        left, right: the sides; ``right`` is ``None`` where one image is judged by itself.
        repeat_of: the task that this one repeats with its sides swapped, to measure consistency.
    """

    id: str
    kind: Literal["pair", "rating", "comment"]
    image: str
    left: str
    right: str | None = None
    repeat_of: str | None = None


class Judgement(Record):
    """One answer of one person.

    Attributes:
        task: id of the task.
        rater: the name the person gave.
        verdict: which side of a pair is better.
        rating: 1 (bad) to 5 (excellent).
        comment: words, "" for none.
        letter: the letter it came in.
    """

    task: str
    rater: str
    verdict: Verdict | None = None
    rating: int | None = Field(default=None, ge=1, le=5)
    comment: str = ""
    letter: str = ""


@dataclass(frozen=True)
class Question:
    """What was asked about one state.

    Attributes:
        state: its id.
        purpose: feedback on a state, or the final pairs of a run.
        tasks: the questions.
        deadline: seconds since the epoch after which the run goes on without answers, ``None`` for never.
        closed: whether the run has gone on; answers that come later still count for strengths.
        unanswered: whether it went on without the answers.
    """

    state: int
    purpose: Purpose
    tasks: tuple[Task, ...]
    deadline: float | None = None
    closed: bool = False
    unanswered: bool = False


@dataclass(frozen=True)
class Panel:
    """Everything that people were asked and said in a run.

    Attributes:
        questions: in the order in which they were asked.
        judgements: in the order in which the run read them.
    """

    questions: tuple[Question, ...] = ()
    judgements: tuple[Judgement, ...] = ()
    _tasks: dict[str, Task] = field(default_factory=dict[str, Task], repr=False, compare=False)

    def __post_init__(self) -> None:
        self._tasks.update({task.id: task for question in self.questions for task in question.tasks})

    @property
    def tasks(self) -> Mapping[str, Task]:
        """id -> task."""
        return self._tasks

    def question(self, state: int, purpose: Purpose) -> Question | None:
        """What was asked about a state."""
        return next((q for q in self.questions if q.state == state and q.purpose == purpose), None)

    def judged(self, task: str) -> tuple[Judgement, ...]:
        """The answers to one task."""
        return tuple(j for j in self.judgements if j.task == task)

    def lacking(self, question: Question, raters: int) -> tuple[Task, ...]:
        """Tasks of a question with fewer than ``raters`` answers."""
        counts = self._counts()
        return tuple(task for task in question.tasks if counts.get(task.id, 0) < raters)

    @property
    def open(self) -> tuple[Task, ...]:
        """Tasks of the questions that the run still waits for."""
        return tuple(task for question in self.questions if not question.closed for task in question.tasks)

    @property
    def raters(self) -> tuple[str, ...]:
        """Who has answered, in the order of their first answers."""
        return tuple(dict.fromkeys(j.rater for j in self.judgements))

    def refusal(self, judgement: Judgement) -> str | None:
        """Why an answer cannot be taken, ``None`` if it can."""
        task = self.tasks.get(judgement.task)
        if task is None:
            return f"there is no task {judgement.task!r}"
        if any(j.rater == judgement.rater for j in self.judged(task.id)):
            return f"{judgement.rater!r} has answered {task.id!r} already; the first answer stands"
        wanted = {"pair": "verdict", "rating": "rating", "comment": "comment"}[task.kind]
        given = {"verdict": judgement.verdict is not None, "rating": judgement.rating is not None}
        if not given.get(wanted, bool(judgement.comment.strip())):
            return f"task {task.id!r} wants a {wanted}, and there is none"
        if any(there for name, there in given.items() if name != wanted):
            return f"task {task.id!r} wants a {wanted} and no other"
        return None

    def _counts(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for judgement in self.judgements:
            counts[judgement.task] = counts.get(judgement.task, 0) + 1
        return counts


def refold(questions: Iterable[Question], state: int, purpose: Purpose, unanswered: bool) -> list[Question]:
    """The questions with one of them closed."""
    return [
        Question(q.state, q.purpose, q.tasks, q.deadline, closed=True, unanswered=unanswered)
        if (q.state, q.purpose) == (state, purpose)
        else q
        for q in questions
    ]
