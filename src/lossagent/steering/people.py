"""People in a run: what they are asked, the letters they send, and how they hold or end it."""

from __future__ import annotations

import time
from collections.abc import Sequence

from lossagent.chat.neutral import quote
from lossagent.errors import Interrupted, Waiting
from lossagent.events import AnyEvent, Asked, Closed, Commented, Ignored, Rated, Requested, Waited
from lossagent.feedback import Remark
from lossagent.judgements import Judgement, Purpose, Task
from lossagent.letters import Comment, Letter, NextWeights, Rating, Undo
from lossagent.mailbox import Mailbox, Received
from lossagent.objectives.base import Situation
from lossagent.records import State
from lossagent.steering.book import Book
from lossagent.trajectory import Trajectory


class People:
    """The people around a run.

    Args:
        book: where what they say is recorded.
        mailbox: where their letters come in, ``None`` for nowhere.
        can_restart: whether the trainer can go back to an earlier state.
    """

    def __init__(self, book: Book, mailbox: Mailbox | None, can_restart: bool) -> None:
        self.book, self.mailbox, self.can_restart = book, mailbox, can_restart

    def situation(self, state: State) -> Situation:
        """Where experts are asked about a state."""

        def ask(tasks: Sequence[Task], deadline: float | None) -> None:
            self.ask(state.id, "feedback", tasks, deadline)

        return Situation(state, self.book.trajectory, self.book.recall(state.id), ask, time.time())

    def ask(self, state: int, purpose: Purpose, tasks: Sequence[Task], deadline: float | None) -> None:
        """Puts tasks to people, once a state and purpose."""
        if self.book.trajectory.panel.question(state, purpose) is None:
            self.book.append(Asked(state=state, purpose=purpose, tasks=tuple(tasks), deadline=deadline))

    def close(self, state: int, purpose: Purpose, unanswered: bool) -> None:
        """Records that the run goes on from what it asked; nothing where nothing is open."""
        asked = self.book.trajectory.panel.question(state, purpose)
        if asked is not None and not asked.closed:
            self.book.append(Closed(state=state, purpose=purpose, unanswered=unanswered))

    def waited(self, text: str) -> None:
        """Records that the process ends to wait."""
        self.book.append(Waited(text=text))

    def collect(self) -> int:
        """Reads the mailbox: every letter becomes an event, or is refused with a reason. Returns how many were new."""
        new = 0
        if self.mailbox is not None:
            for path, received in self.mailbox.waiting():
                # A file that was read before, but not put away, tells nothing new.
                fresh = [one for one in received if one.id not in self.book.trajectory.letters]
                reasons = [f"{one.id}: {reason}" for one in fresh if (reason := self._receive(one)) is not None]
                self.mailbox.put_away(path, reasons)
                new += len(fresh)
        return new

    def heed(self) -> None:
        """Holds or ends the run at a stage boundary where a person asked for it.

        Raises:
            Interrupted: stopped.
            Waiting: paused.
        """
        self.heed_stop()
        if (request := self.book.trajectory.paused) is not None:
            raise Waiting(
                f"{quote(request.request.author, 80)} paused the run; it goes on when somebody says so in the "
                'dashboard, or by a letter {"kind": "go-on", "author": "..."} in its mailbox.'
            )

    def heed_stop(self) -> None:
        """Ends the run where a person asked for it.

        Raises:
            Interrupted: so it was.
        """
        if (request := self.book.trajectory.stopped) is not None:
            raise Interrupted(f"{quote(request.request.author, 80)} stopped the run.")

    def _receive(self, received: Received) -> str | None:
        """Records a letter; returns why it was refused, if it was."""
        outcome: AnyEvent | str = received.reason
        if received.letter is not None:
            outcome = event_of(received.id, received.letter, self.book.trajectory, self.can_restart)
        if isinstance(outcome, str):
            reason = quote(outcome, 400)
            self.book.append(Ignored(letter=received.id, reason=reason))
            return reason
        self.book.append(outcome)
        return None


def event_of(name: str, letter: Letter, trajectory: Trajectory, can_restart: bool) -> AnyEvent | str:
    """The event that a letter becomes, or why there is none.

    Args:
        name: id of the letter.
        letter: what it says.
        trajectory: the run so far.
        can_restart: whether stages can start from earlier states.
    """
    match letter:
        case Rating():
            judgement = Judgement(**letter.model_dump(exclude={"kind"}), letter=name)
            return trajectory.panel.refusal(judgement) or Rated(judgement=judgement)
        case Comment():
            if letter.state >= len(trajectory.states):
                return f"there is no state {letter.state}; known: 0 to {len(trajectory.states) - 1}"
            images = known_images(trajectory)
            if letter.image is not None and images and letter.image not in images:
                return f"there is no image {letter.image!r}"
            remark = Remark(author=letter.rater, text=letter.text, image=letter.image)
            return Commented(state=letter.state, remark=remark, letter=name)
        case NextWeights():
            names = trajectory.initial.names
            if set(letter.weights) != set(names):
                return f"weights must name {', '.join(names)}; found {', '.join(letter.weights)}"
            return _too_late(trajectory) or Requested(letter=name, request=letter)
        case Undo():
            why_not = _too_late(trajectory) or _no_way_back(letter.state, trajectory, can_restart)
            return why_not or Requested(letter=name, request=letter)
        case _:
            return Requested(letter=name, request=letter)


def _no_way_back(state: int, trajectory: Trajectory, can_restart: bool) -> str | None:
    if state >= len(trajectory.states) or trajectory.states[state].feedback is None:
        return f"there is no scored state {state} to go back to"
    if not can_restart:
        return "this trainer cannot start from earlier states"
    return None if trajectory.states[state].restorable else f"the checkpoint of state {state} was deleted"


def _too_late(trajectory: Trajectory) -> str | None:
    whole = len(trajectory.states) > trajectory.stages
    return "the last stage is decided already: there is no next one" if whole else None


def known_images(trajectory: Trajectory) -> frozenset[str]:
    """Names of the feedback images, as far as the run has recorded any."""
    return frozenset(name for state in trajectory.states if state.report is not None for name in state.report.images)
