"""People as an objective: blind pairs, marks from 1 to 5, or words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from lossagent.errors import Refused, Waiting
from lossagent.feedback import POOLED, Feedback, MetricFacts, Remark
from lossagent.judgements import PREFERENCE, RATING, Judgement, Question, Task, side_of
from lossagent.objectives.base import Pixels, Situation
from lossagent.preferences import chosen_images, comparisons_of, repeated, shuffled_pairs, values
from lossagent.records import State
from lossagent.trajectory import Trajectory

PREFERENCE_FACTS = MetricFacts(
    name=PREFERENCE,
    direction="higher",
    low=None,
    high=None,
    needs_reference=False,
    unit=0.4,
    implementation="people",
    version="1",
    options={"model": "Bradley-Terry", "anchor": "S_0", "ties": "half a win each"},
)
"""Log odds of being preferred to S_0. From even odds, 0.4 is 60 : 40."""
RATING_FACTS = MetricFacts(
    name=RATING,
    direction="higher",
    low=1.0,
    high=5.0,
    needs_reference=False,
    unit=0.25,
    implementation="people",
    version="1",
)
"""Mean mark, 1 (bad) to 5 (excellent)."""


@dataclass(frozen=True)
class Inquiry:
    """What people are asked about each state.

    Attributes:
        ask: ``pairs``: which of two is better; ``rating``: a mark from 1 to 5 for each image; ``comments``: words.
        images: how many of the feedback images they see, ``None`` for all.
        against: what a state stands against in a pair: its parent, or the state that is preferred most so far.
        repeats: share of pairs that come again with their sides swapped, in [0, 1].
        raters: how many people have to answer each task, >= 1.
        deadline: seconds after which the run goes on without answers, ``None`` for never.
    """

    ask: Literal["pairs", "rating", "comments"] = "pairs"
    images: int | None = None
    against: Literal["parent", "best"] = "parent"
    repeats: float = 0.15
    raters: int = 1
    deadline: float | None = None


def plan(state: State, trajectory: Trajectory, images: Sequence[str], inquiry: Inquiry, seed: int) -> tuple[Task, ...]:
    """The questions about a state; the same arguments give the same ones.

    S_0 has no pairs, for there is nothing to compare it with. Repeated pairs come last.

    Args:
        state: the state that is asked about.
        trajectory: every state so far, and what people said of them.
        images: the feedback images.
        inquiry: what is asked.
        seed: decides images, order and sides.
    """
    shown = chosen_images(images, inquiry.images, seed)
    side = side_of(state.id)
    if inquiry.ask != "pairs":
        kind: Literal["rating", "comment"] = "rating" if inquiry.ask == "rating" else "comment"
        return tuple(
            Task(id=f"{side}-{number:03d}", kind=kind, image=image, left=side) for number, image in enumerate(shown)
        )
    if state.parent is None:
        return ()
    rival = state.parent if inquiry.against == "parent" else _most_preferred(state, trajectory)
    pairs = shuffled_pairs(((image, side, side_of(rival)) for image in shown), side, seed)
    return repeated(pairs, inquiry.repeats, seed)


def _most_preferred(state: State, trajectory: Trajectory) -> int:
    """The other state with the greatest strength; the earliest of equal ones."""
    panel = trajectory.panel
    known = values(comparisons_of(panel.tasks, panel.judgements), side_of(0))
    others = [s.id for s in trajectory.states if s.id != state.id and side_of(s.id) in known]
    return max(others, key=lambda i: (known[side_of(i)], -i))


@dataclass(frozen=True)
class People:
    """People judge the restored images of each state; see :class:`Inquiry` for what they are asked.

    Pairs give the score ``preference``: the trajectory computes it for every state from all comparisons, so here it
    stays empty but for S_0, which is 0 by definition. Marks give ``rating``. What people say beside is a remark.

    Args:
        inquiry: what is asked.
        seed: decides images, order and sides.
        run: the run folder, as people have to name it to answer.
    """

    inquiry: Inquiry = field(default_factory=Inquiry)
    seed: int = 0
    run: str = "RUN"

    @property
    def facts(self) -> Mapping[str, MetricFacts]:
        """Facts of the score that the answers give; none for comments."""
        return {
            "pairs": {PREFERENCE: PREFERENCE_FACTS},
            "rating": {RATING: RATING_FACTS},
            "comments": dict[str, MetricFacts](),
        }[self.inquiry.ask]

    def __call__(self, restored: Mapping[str, Pixels], situation: Situation | None = None) -> Feedback:
        """What people said of a state.

        Raises:
            Waiting: they have not said it yet; they are asked when the state comes for the first time.
            Refused: outside a run there is nobody to ask.
        """
        if situation is None:
            raise Refused("people are asked about states of a run, and there is no run here.")
        state, panel = situation.state, situation.trajectory.panel
        question = panel.question(state.id, "feedback")
        if question is None:
            tasks = plan(state, situation.trajectory, tuple(restored), self.inquiry, self.seed)
            if not tasks:
                return self._feedback(state, (), ())
            until = None if self.inquiry.deadline is None else situation.now + self.inquiry.deadline
            situation.ask(tasks, until)
            raise self._waiting(len(tasks) * self.inquiry.raters, until)
        asked = {task.id for task in question.tasks}
        answers = [j for j in panel.judgements if j.task in asked]
        missing = self._missing(question, answers)
        if missing and not (question.deadline is not None and situation.now >= question.deadline):
            raise self._waiting(missing, question.deadline)
        return self._feedback(state, question.tasks, answers, missing)

    def _missing(self, question: Question, answers: Iterable[Judgement]) -> int:
        people: dict[str, set[str]] = {task.id: set() for task in question.tasks}
        for answer in answers:
            people[answer.task].add(answer.rater)
        return sum(max(0, self.inquiry.raters - len(raters)) for raters in people.values())

    def _waiting(self, missing: int, until: float | None) -> Waiting:
        count = "1 answer of people is" if missing == 1 else f"{missing} answers of people are"
        return Waiting(
            f"{count} missing. Give them in a browser (lossagent dashboard {self.run}) or here "
            f"(lossagent rate {self.run}); they go to {self.run}/mailbox.",
            until,
        )

    def _feedback(
        self, state: State, tasks: Sequence[Task], answers: Sequence[Judgement], missing: int = 0
    ) -> Feedback:
        scores: dict[str, dict[str, float | None]] = {}
        if self.inquiry.ask == "pairs":
            scores[PREFERENCE] = {POOLED: 0.0} if state.id == 0 else {}
        elif self.inquiry.ask == "rating":
            scores[RATING] = {task.image: _mean_mark(task, answers) for task in tasks}
        wanted = len(tasks) * self.inquiry.raters
        problems = {"people": f"{missing} of {wanted} answers had not come by the deadline"} if missing else {}
        return Feedback(
            scores=scores, remarks=tuple(_remarks(tasks, answers)), problems=problems, unanswered=missing > 0
        )


def _mean_mark(task: Task, answers: Iterable[Judgement]) -> float | None:
    """Mean over people, each person's first mark."""
    marks: dict[str, int] = {}
    for answer in answers:
        if answer.task == task.id and answer.rating is not None:
            marks.setdefault(answer.rater, answer.rating)
    return sum(marks.values()) / len(marks) if marks else None


def _remarks(tasks: Iterable[Task], answers: Iterable[Judgement]) -> Iterable[Remark]:
    """Comments with their authors. Whoever wrote "the left one" did not know which that was: it is said here."""
    known = {task.id: task for task in tasks}
    for answer in answers:
        task = known[answer.task]
        if words := answer.comment.strip():
            which = f"[left: {task.left}, right: {task.right}] " if task.right is not None else ""
            yield Remark(author=answer.rater, text=which + words, image=task.image)
