"""People as an objective, alone and steering a run through its mailbox."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from beginnings import started
from lossagent.agents.base import Agent, View
from lossagent.agents.fixed import Fixed
from lossagent.errors import Refused, Waiting
from lossagent.events import Asked, Closed, Decided, Rated, Scored, Started, Trained
from lossagent.experiment.people import PeopleSettings
from lossagent.feedback import Feedback
from lossagent.goal import Goal, Target
from lossagent.judgements import PREFERENCE, RATING, Judgement, Task
from lossagent.letters import Rating
from lossagent.mailbox import Mailbox, post
from lossagent.objectives.base import Pixels, Situation
from lossagent.objectives.people import Inquiry, People, plan
from lossagent.preferences import comparisons_of as compared
from lossagent.preferences import values
from lossagent.records import Decision, Exchange, StageReport
from lossagent.runs import RunFolder
from lossagent.steering import Steering
from lossagent.trajectory import Trajectory
from lossagent.weights import Weights

IMAGES = [f"image{i}" for i in range(6)]
INITIAL = Weights.of({"l1": 1.0, "gan": 0.1})
RESTORED: dict[str, Pixels] = {name: np.zeros((4, 4, 3), dtype=np.uint8) for name in IMAGES}


def decided(state: int, parent: int) -> Decided:
    return Decided(state=state, decision=Decision(author="x", proposed=INITIAL, weights=INITIAL, restart_from=parent))


def line(*parents: int) -> list[Started | Decided | Trained | Scored | Asked | Rated | Closed]:
    """Events of a run whose states have these parents; the last is trained and not scored."""
    events: list[Started | Decided | Trained | Scored | Asked | Rated | Closed] = [
        started(INITIAL, 9), Trained(state=0, report=StageReport())
    ]  # fmt: skip
    for state, parent in enumerate(parents, 1):
        scored = Scored(state=state - 1, feedback=Feedback(scores={PREFERENCE: {}}))
        events += [scored, decided(state, parent), Trained(state=state, report=StageReport())]
    return events


class Asker:
    """A situation whose questions are kept."""

    def __init__(self, events: Sequence[object], state: int, now: float = 1000.0) -> None:
        self.asked: list[tuple[tuple[Task, ...], float | None]] = []
        trajectory = Trajectory.fold(events)  # pyright: ignore[reportArgumentType]

        def recall(key: str, make: Callable[[], Exchange]) -> Exchange:
            raise AssertionError("people are no model")

        def ask(tasks: Sequence[Task], deadline: float | None) -> None:
            self.asked.append((tuple(tasks), deadline))

        self.situation = Situation(trajectory.states[state], trajectory, recall, ask, now)


def planned(inquiry: Inquiry, *parents: int, seed: int = 0) -> tuple[Task, ...]:
    trajectory = Trajectory.fold(line(*parents))
    return plan(trajectory.states[-1], trajectory, IMAGES, inquiry, seed)


def test_pairs_set_a_state_against_its_parent() -> None:
    asked = planned(Inquiry(), 0, 0)
    assert {frozenset((t.left, t.right)) for t in asked} == {frozenset(("state-0002", "state-0000"))}
    assert [t.repeat_of is not None for t in asked] == [False] * 6 + [True]
    assert asked == planned(Inquiry(), 0, 0)
    assert asked != planned(Inquiry(), 0, 0, seed=1)
    assert planned(Inquiry()) == ()  # S_0


def test_pairs_against_the_best_so_far() -> None:
    events = line(0, 1, 2)
    first = Task(id="t1", kind="pair", image="image0", left="state-0001", right="state-0000")
    second = Task(id="t2", kind="pair", image="image0", left="state-0002", right="state-0001")
    events += [Asked(state=1, tasks=(first,)), Asked(state=2, tasks=(second,))]
    trajectory = Trajectory.fold(events)
    none_known = plan(trajectory.states[3], trajectory, IMAGES, Inquiry(against="best"), 0)
    assert "state-0000" in (none_known[0].left, none_known[0].right)
    events += [Rated(judgement=Judgement(task=t, rater="ann", verdict="left")) for t in ("t1", "t2")]
    events += [Rated(judgement=Judgement(task="t2", rater="bob", verdict="right"))] * 1
    events += [Rated(judgement=Judgement(task="t2", rater="cy", verdict="right"))]
    trajectory = Trajectory.fold(events)
    best = plan(trajectory.states[3], trajectory, IMAGES, Inquiry(against="best"), 0)
    assert {frozenset((t.left, t.right)) for t in best} == {frozenset(("state-0003", "state-0001"))}


@pytest.mark.parametrize(("ask", "kind"), [("rating", "rating"), ("comments", "comment")])
def test_marks_and_words_are_asked_of_single_images_and_of_the_start(ask: str, kind: str) -> None:
    inquiry = PeopleSettings.model_validate({"ask": ask, "images": 2}).inquiry
    for parents in ((), (0,)):
        asked = planned(inquiry, *parents)
        assert len(asked) == 2
        assert {(t.kind, t.left, t.right) for t in asked} == {(kind, f"state-{len(parents):04d}", None)}


def test_the_start_is_zero_by_definition_and_nobody_is_asked() -> None:
    asker = Asker(line(), 0)
    feedback = People()(RESTORED, asker.situation)
    assert asker.asked == []
    assert feedback.mean(PREFERENCE) == 0
    assert not feedback.unanswered


def test_people_are_asked_once_and_waited_for() -> None:
    people = People(Inquiry(deadline=60.0), run="runs/faces")
    asker = Asker(line(0), 1)
    with pytest.raises(Waiting, match=r"7 answers of people are missing.*lossagent rate runs/faces") as waiting:
        people(RESTORED, asker.situation)
    ((tasks, until),) = asker.asked
    assert until == waiting.value.until == 1060.0
    events = [*line(0), Asked(state=1, tasks=tasks, deadline=until)]
    events += [Rated(judgement=Judgement(task=t.id, rater="ann", verdict="tie")) for t in tasks[:6]]
    again = Asker(events, 1)
    with pytest.raises(Waiting, match="1 answer of people is missing"):
        people(RESTORED, again.situation)
    assert again.asked == []
    whole = [*events, Rated(judgement=Judgement(task=tasks[6].id, rater="bob", verdict="tie", comment=" soft "))]
    feedback = people(RESTORED, Asker(whole, 1).situation)
    assert feedback.scores == {PREFERENCE: {}}
    assert not feedback.unanswered
    (remark,) = feedback.remarks
    assert (remark.author, remark.image) == ("bob", tasks[6].image)
    assert remark.text == f"[left: {tasks[6].left}, right: {tasks[6].right}] soft"


def test_after_the_deadline_what_came_counts_and_the_rest_is_said() -> None:
    people = People(Inquiry(ask="rating", raters=2, deadline=60.0))
    tasks = planned(people.inquiry, 0)
    events = [*line(0), Asked(state=1, tasks=tasks, deadline=1060.0)]
    for rater, mark in (("ann", 2), ("bob", 5)):
        events.append(Rated(judgement=Judgement(task=tasks[0].id, rater=rater, rating=mark)))
    events.append(Rated(judgement=Judgement(task=tasks[1].id, rater="ann", rating=4)))
    with pytest.raises(Waiting, match="9 answers"):
        people(RESTORED, Asker(events, 1, now=1059.0).situation)
    feedback = people(RESTORED, Asker(events, 1, now=1060.0).situation)
    assert feedback.unanswered
    assert feedback.scores[RATING] == {"image0": 3.5, "image1": 4.0, **dict.fromkeys(IMAGES[2:])}
    assert feedback.problems == {"people": "9 of 12 answers had not come by the deadline"}


def test_one_person_twice_is_not_two() -> None:
    people = People(Inquiry(ask="rating", images=1, raters=2))
    tasks = planned(people.inquiry, 0)
    events = [*line(0), Asked(state=1, tasks=tasks)]
    events += [Rated(judgement=Judgement(task=tasks[0].id, rater="ann", rating=mark)) for mark in (1, 5)]
    with pytest.raises(Waiting, match="1 answer"):
        people(RESTORED, Asker(events, 1).situation)
    events.append(Rated(judgement=Judgement(task=tasks[0].id, rater="bob", rating=2)))
    assert people(RESTORED, Asker(events, 1).situation).mean(RATING) == 1.5


def test_words_alone_give_remarks_and_no_score() -> None:
    people = People(Inquiry(ask="comments", images=1))
    assert people.facts == {}
    tasks = planned(people.inquiry, 0)
    answer = Judgement(task=tasks[0].id, rater="ann", comment="Skin like plastic.")
    feedback = people(RESTORED, Asker([*line(0), Asked(state=1, tasks=tasks), Rated(judgement=answer)], 1).situation)
    assert feedback.scores == {}
    assert [(r.author, r.text, r.image) for r in feedback.remarks] == [("ann", "Skin like plastic.", tasks[0].image)]


def test_outside_a_run_there_is_nobody_to_ask() -> None:
    with pytest.raises(Refused, match="no run here"):
        People()(RESTORED)


def test_settings_refuse_what_cannot_be_asked() -> None:
    for bad in ({"raters": 0}, {"repeats": 1.5}, {"deadline": 0}, {"images": 0}, {"ask": "smell"}, {"final": -1}):
        with pytest.raises(ValueError, match=next(iter(bad))):
            PeopleSettings.model_validate(bad)
    assert PeopleSettings().inquiry == Inquiry()


class Climb(Fixed):
    """Raises gan while the last state is preferred to its parent: so that answers are seen to decide."""

    def decide(self, view: View, recall: Callable[[str, Callable[[], Exchange]], Exchange]) -> Decision:
        del recall
        score = view.head.feedback.mean(PREFERENCE) if view.head.feedback is not None else None
        before = view.trajectory.weights_at(view.head.id)
        factor = 2.0 if score is not None and score > 0 else 0.5
        weights = Weights.of({"l1": 1.0, "gan": before["gan"] * factor})
        return Decision(author="climb", proposed=weights, weights=weights, restart_from=view.head.id)


def steering(run: Path, agent: Agent, log: RunFolder) -> Steering:
    goal = Goal(targets=(Target(metric=PREFERENCE, direction="higher", unit=0.4),))
    return Steering(
        agent=agent, goal=goal, initial=INITIAL, stages=2, log=log, mailbox=Mailbox(run),
        objective=People(run=str(run)),
    )  # fmt: skip


def until_waiting(steering: Steering) -> None:
    """The loop without training."""
    while stage := steering.next():
        if stage.report is None:
            steering.trained(stage, StageReport())
        steering.scored(stage, RESTORED)


def answer(run: Path, tasks: Sequence[Task], wanted: str) -> None:
    for task in tasks:
        post(run, Rating(task=task.id, rater="ann", verdict="left" if task.left == wanted else "right"))


@pytest.mark.parametrize(("liked", "gan"), [("state-0001", 0.2), ("state-0000", 0.05)])
def test_answers_steer_a_run_that_ends_to_wait_and_is_resumed(tmp_path: Path, liked: str, gan: float) -> None:
    run = tmp_path / "run"
    log = RunFolder.at(run)
    began = steering(run, Climb(), log)
    with pytest.raises(Waiting):
        until_waiting(began)
    tasks = began.trajectory.panel.open
    assert len(tasks) == 7
    answer(run, tasks[:3], liked)
    with pytest.raises(Waiting, match="4 answers"):  # what was given is kept
        until_waiting(began)
    log.close()

    answer(run, tasks[3:], liked)
    post(run, Rating(task="state-0009-000", rater="ann", verdict="left"))  # of no task
    post(run, Rating(task=tasks[0].id, rater="ann", verdict="left"))  # a second time
    log = RunFolder.at(run)
    resumed = steering(run, Climb(), log)
    with pytest.raises(Waiting):
        until_waiting(resumed)
    trajectory = resumed.trajectory
    assert len(trajectory.panel.judgements) == 7
    assert trajectory.weights_at(2)["gan"] == pytest.approx(gan)
    strength = values(compared(trajectory.panel.tasks, trajectory.panel.judgements), "state-0000")["state-0001"]
    first = trajectory.states[1].feedback
    assert first is not None
    assert first.mean(PREFERENCE) == strength
    assert (strength > 0) == (liked == "state-0001")
    reasons = [json.loads(e.model_dump_json())["reason"] for e in log.events if e.kind == "ignored"]
    assert len(reasons) == 2
    assert "no task" in reasons[0]
    assert "already" in reasons[1]
