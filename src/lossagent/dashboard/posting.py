"""Letters that come through the pages: checked here, written into the mailbox, read by the run alone."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from lossagent import mailbox
from lossagent.dashboard.errors import AlreadyAnswered, NoSuch
from lossagent.dashboard.live import LiveRun
from lossagent.dashboard.tokens import Place, Tokens
from lossagent.errors import Refused
from lossagent.letters import LETTERS, Letter, Rating
from lossagent.steering.people import event_of
from lossagent.trajectory import Trajectory


def post(run: LiveRun, tokens: Tokens, value: object) -> str:
    """Checks a letter and puts it into the run's mailbox; returns its id.

    What the run would refuse is refused here already, in the same words; the run checks again when it reads.

    Args:
        run: whose mailbox.
        tokens: names of tasks; a judgement comes with a token for its task.
        value: the letter as plain data.

    Raises:
        Refused: it is no letter, or the run could do nothing with it.
        NoSuch: a judgement of an unknown task.
        AlreadyAnswered: a second judgement of one task.
    """
    letter = _letter(value)
    trajectory = run.look()
    if isinstance(letter, Rating):
        letter = letter.model_copy(update={"task": _task(run, tokens, letter, trajectory)})
    elif trajectory.finished is not None:
        raise Refused("the run is finished: it reads no more letters.")
    outcome = event_of("", letter, trajectory, can_restart=True)
    if isinstance(outcome, str):
        raise Refused(f"{outcome}.")
    return mailbox.post(run.path, letter)


def _letter(value: object) -> Letter:
    try:
        return LETTERS.validate_python(_without_nulls(value))
    except (ValidationError, RecursionError) as error:
        raise Refused(f"that is no letter: {mailbox.complaint(error)}.") from None


def _without_nulls(value: Any) -> Any:  # noqa: ANN401  (plain JSON data)
    """A field that is null is one that was not given: pages send what a form holds."""
    return {k: v for k, v in value.items() if v is not None} if isinstance(value, dict) else value


def _task(run: LiveRun, tokens: Tokens, letter: Rating, trajectory: Trajectory) -> str:
    """The run's own name of the task that a judgement is about."""
    place: Place = tokens.place(run.id, letter.task)
    if place.rater != letter.rater:
        raise Refused("this task was given to somebody else: ask for your own.")
    if place.task not in trajectory.panel.tasks:
        raise NoSuch("there is no such task (any more): ask for the tasks again.")
    answered = {j.task for j in trajectory.panel.judgements if j.rater == letter.rater}
    sent = {one.task for _, one in run.pending() if isinstance(one, Rating) and one.rater == letter.rater}
    if place.task in answered | sent:
        raise AlreadyAnswered("you have answered this task; the first answer stands.")
    return place.task
