"""People in a run: it waits for their answers, keeps them through a kill, and does by hand what they ask for."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from lossagent.commands.arms import baseline, carry_out_beside, needs_fixed
from lossagent.errors import Interrupted, Refused, Waiting
from lossagent.experiment import parse
from lossagent.feedback import POOLED
from lossagent.letters import Comment, GoOn, NextWeights, Pause, Rating, StopRun, Undo
from lossagent.mailbox import post
from lossagent.runs import canonical, read_events, read_exchanges, read_trajectory
from lossagent.session import Session
from tiny import experiment, pictures

PAIRS = {"targets": [{"metric": "preference"}]}


def asking(root: Path, **people: Any) -> dict[str, Any]:
    settings = {"ask": "pairs", "patience": 0, "final": 0, "repeats": 0, **people}
    return experiment(root, goal={**PAIRS}, tolerance={}, people=settings)


def answer(run: Path, rater: str = "ann", prefer: str = "newer", only: int | None = None) -> int:
    """Answers the open pairs; ``prefer`` the newer or the older state. Returns how many were answered."""
    trajectory = read_trajectory(run)
    sent = 0
    for task in trajectory.panel.open:
        if any(j.rater == rater for j in trajectory.panel.judged(task.id)) or sent == only:
            continue
        assert task.right is not None
        newer = "left" if task.left > task.right else "right"
        verdict = newer if prefer == "newer" else {"left": "right", "right": "left"}[newer]
        post(run, Rating(task=task.id, rater=rater, verdict=verdict))  # pyright: ignore[reportArgumentType]
        sent += 1
    return sent


def go(data: dict[str, Any], run: Path, **how: Any) -> Session:
    """A run whose waits are answered at once."""
    session = Session.start(parse(data), run)
    while True:
        try:
            session.run()
            return session
        except Waiting:
            assert answer(run, **how)
            session = Session.resume(run)


def test_a_run_waits_for_blind_pairs_and_strengths_are_its_scores(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with pytest.raises(Waiting, match=r"2 answers of people are missing.*lossagent rate"):
        Session.start(parse(asking(tmp_path)), run).run()
    trajectory = read_trajectory(run)
    assert trajectory.states[1].report is not None
    assert trajectory.states[1].feedback is None
    assert {frozenset((t.left, t.right)) for t in trajectory.panel.open} == {frozenset(("state-0000", "state-0001"))}
    session = go_on(run, prefer="newer")
    states = session.steering.trajectory.states
    strengths = [s.feedback.scores["preference"][POOLED] for s in states if s.feedback is not None]
    assert len(strengths) == 4
    assert strengths[0] == 0
    assert sorted(s for s in strengths if s is not None) == strengths, "each state was preferred to its parent"
    assert [s.decision.judged for s in states if s.decision is not None] == [0, 2, 4]


def go_on(run: Path, **how: Any) -> Session:
    while True:
        answer(run, **how)
        session = Session.resume(run)
        try:
            session.run()
            return session
        except Waiting:
            continue


def test_killed_while_waiting_it_waits_again_and_keeps_the_ratings(tmp_path: Path) -> None:
    run = tmp_path / "run"
    data = asking(tmp_path, patience=60)
    driver = (
        "import sys, json\nfrom pathlib import Path\nfrom lossagent.experiment import parse\n"
        "from lossagent.session import Session\n"
        "Session.start(parse(json.loads(sys.argv[1])), Path(sys.argv[2])).run()\n"
    )
    process = subprocess.Popen([sys.executable, "-c", driver, json.dumps(data), str(run)])
    try:
        until(lambda: (run / "events.jsonl").exists() and bool(read_trajectory(run).panel.open))
        asked = read_trajectory(run).panel.open
        assert answer(run, only=1) == 1
        until(lambda: len(read_trajectory(run).panel.judgements) == 1)
    finally:
        process.kill()
        process.wait()
    answer(run, only=1)  # a letter that nobody is there to read
    data["people"]["patience"] = 0
    session = Session.resume(run)
    session.parts.experiment = parse(data)
    with pytest.raises(Waiting):
        session.run()
    trajectory = read_trajectory(run)
    assert trajectory.panel.questions[0].tasks == asked, "the same questions, asked once"
    assert len(trajectory.panel.judgements) == 2
    assert trajectory.states[1].feedback is not None
    assert trajectory.panel.questions[0].closed


def until(true: Any, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.1)


def test_the_same_answers_give_the_same_run_whether_it_ended_or_waited_inside(tmp_path: Path) -> None:
    ended = go(asking(tmp_path), tmp_path / "ended")
    waited = Session.start(parse(asking(tmp_path, patience=60)), tmp_path / "waited")
    done = threading.Event()

    def people() -> None:
        while not done.is_set():
            if (tmp_path / "waited" / "events.jsonl").exists():
                answer(tmp_path / "waited")
            time.sleep(0.3)

    thread = threading.Thread(target=people)
    thread.start()
    try:
        waited.run()
    finally:
        done.set()
        thread.join()

    def plain(session: Session) -> list[dict[str, Any]]:
        return [canonical(s) for s in session.steering.trajectory.states]

    assert plain(ended) == plain(waited)


def test_after_the_deadline_the_weights_stay(tmp_path: Path) -> None:
    data = asking(tmp_path, deadline=0.2, patience=60)
    session = Session.start(parse(data), tmp_path / "run")
    session.run()
    states = session.steering.trajectory.states
    assert [s.decision.author for s in states if s.decision is not None] == ["initial", "deadline", "deadline"]
    assert {str(s.weights) for s in states if s.weights is not None} == {str(session.parts.experiment.initial)}
    assert states[1].feedback is not None
    assert "2 of 2 answers" in states[1].feedback.problems["people"]


def test_doubled_unknown_torn_and_late_letters_are_refused_with_a_reason_and_nothing_is_lost(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with pytest.raises(Waiting):
        Session.start(parse(asking(tmp_path)), run).run()
    first = read_trajectory(run).panel.open[0]
    post(run, Rating(task=first.id, rater="ann", verdict="left"))
    post(run, Rating(task=first.id, rater="ann", verdict="right"))  # doubled
    post(run, Rating(task="state-0009-000", rater="ann", verdict="left"))  # unknown
    post(run, Rating(task=first.id, rater="bob", rating=5))  # another kind
    post(run, Comment(rater="bob", state=77, text="where?"))
    post(run, Comment(rater="bob", state=0, image="p1-0", text="too <b>soft</b>"))
    (run / "mailbox" / "torn.json").write_text('{"kind": "judgement", "task": "')
    (run / "mailbox" / "list.json").write_text(json.dumps([{"kind": "nonsense"}, {"kind": "pause", "author": ""}]))
    old = time.time() - 60
    for name in ("torn", "list"):
        import os

        os.utime(run / "mailbox" / f"{name}.json", (old, old))
    with pytest.raises(Waiting, match="1 answer of people is missing"):
        Session.resume(run).run()
    events = read_events(run)
    reasons = [e.reason for e in events if e.kind == "ignored"]
    assert len(reasons) == 7
    assert sum("has answered" in r for r in reasons) == 1
    assert sum("no task" in r for r in reasons) == 1
    assert sum("no JSON" in r for r in reasons) == 1
    refused = {p.name for p in (run / "mailbox" / "refused").iterdir()}
    assert len(refused) == 12, "six files, each with its reason"
    start = read_trajectory(run).states[0].feedback
    assert start is not None
    assert [r.text for r in start.remarks] == ["too <b>soft</b>"]
    assert [j.verdict for j in read_trajectory(run).panel.judgements] == ["left"]
    assert not list((run / "mailbox").glob("*.json"))


def test_marks_are_scores_with_every_rater_counted(tmp_path: Path) -> None:
    goal = {"targets": [{"metric": "rating"}]}
    people = {"ask": "rating", "patience": 0, "final": 0, "raters": 2}
    data = experiment(tmp_path, goal=goal, tolerance={}, people=people, agent={"kind": "random"})
    run = tmp_path / "run"
    with pytest.raises(Waiting, match="4 answers"):
        Session.start(parse(data), run).run()
    for mark, rater in ((2, "ann"), (5, "bob")):
        for task in read_trajectory(run).panel.open:
            post(run, Rating(task=task.id, rater=rater, rating=mark, comment=f"{rater} says {mark}"))
    with pytest.raises(Waiting):
        Session.resume(run).run()
    start = read_trajectory(run).states[0].feedback
    assert start is not None
    assert start.mean("rating") == 3.5
    assert {r.author for r in start.remarks} == {"ann", "bob"}


def test_weights_set_by_hand_are_the_next_decision(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with pytest.raises(Waiting):
        Session.start(parse(asking(tmp_path)), run).run()
    answer(run)
    post(run, NextWeights(author="eve", weights={"l1": 1.0, "mse": 0.6, "gan": 0.0}))
    post(run, NextWeights(author="eve", weights={"l1": 1.0, "mse": 900.0, "gan": 0.05}))
    with pytest.raises(Waiting):
        Session.resume(run).run()
    decision = read_trajectory(run).states[2].decision
    assert decision is not None
    assert decision.author == "human"
    assert decision.weights["gan"] == 0.05
    assert decision.proposed["mse"] == 900
    assert decision.weights["mse"] == pytest.approx(1.5), "bounds hold for people too"
    assert "eve" in decision.thoughts
    session = go_on(run)
    third = session.steering.trajectory.states[3].decision
    assert third is not None
    assert third.author != "human", "a request counts once"


def test_going_back_by_hand_starts_the_next_stage_there(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with pytest.raises(Waiting):
        Session.start(parse(asking(tmp_path)), run).run()
    answer(run)
    post(run, Undo(author="eve", state=0))
    post(run, Undo(author="eve", state=9))
    with pytest.raises(Waiting):
        Session.resume(run).run()
    state = read_trajectory(run).states[2]
    assert state.decision is not None
    assert (state.parent, state.decision.author) == (0, "human")
    assert "undo" in state.decision.adjusted_by
    assert any(e.kind == "ignored" and "state 9" in e.reason for e in read_events(run))


def test_pause_and_stop_are_heeded_at_the_next_boundary(tmp_path: Path) -> None:
    data = experiment(tmp_path)
    run = tmp_path / "run"
    session = Session.start(parse(data), run)
    post(run, Pause(author="eve"))
    import lossagent.session.leading as leading

    leading_patience, leading.PATIENCE = leading.PATIENCE, 0.0
    try:
        with pytest.raises(Waiting, match="eve paused"):
            session.run()
        assert len(read_trajectory(run).states) == 1, "S_0 was taken, and no stage began"
        with pytest.raises(Waiting, match="eve paused"):
            Session.resume(run).run()
        post(run, GoOn(author="eve"))
        post(run, StopRun(author="eve"))  # nobody is there to be stopped: a resume goes past it
        session = Session.resume(run)
        post(run, StopRun(author="eve"))
        with pytest.raises(Interrupted, match="eve stopped"):
            session.run()
    finally:
        leading.PATIENCE = leading_patience
    resumed = Session.resume(run)
    resumed.run()
    plain = Session.start(parse(data), tmp_path / "plain")
    plain.run()
    assert [canonical(s) for s in resumed.steering.trajectory.states] == [
        canonical(s) for s in plain.steering.trajectory.states
    ]


def test_the_last_word_is_blind_pairs_on_unseen_images(tmp_path: Path) -> None:
    fixed = Session.start(parse(experiment(tmp_path, agent={"kind": "fixed"})), tmp_path / "fixed")
    fixed.run()
    data = asking(tmp_path, final=2) | {"fixed_run": str(tmp_path / "fixed")}
    run = tmp_path / "run"
    session = go(data, run)
    panel = session.steering.trajectory.panel
    finished = session.steering.trajectory.finished
    assert finished is not None
    question = panel.question(finished.selected, "final")
    assert question is not None
    assert question.closed
    sides = {frozenset((t.left, t.right)) for t in question.tasks}
    assert sides == {frozenset(("test/selected", "test/start")), frozenset(("test/selected", "test/fixed"))}
    assert {t.image for t in question.tasks} == {"p3-0", "p3-1"}, "images of the test set"
    for task in question.tasks:
        assert (run / "images" / task.left / f"{task.image}.png").is_file()


def test_a_constraint_may_be_relative_to_the_fixed_run(tmp_path: Path) -> None:
    base = experiment(tmp_path)
    fixed = Session.start(parse(experiment(tmp_path, agent={"kind": "fixed"})), tmp_path / "fixed")
    fixed.run()
    limit = {"metric": "psnr_y", "relative_to": "fixed", "at_least": 1000.0}
    goal = {"targets": [{"metric": "lattice"}], "constraints": [limit]}
    data = {**base, "goal": goal, "tolerance": {}, "fixed_run": str(tmp_path / "fixed")}
    session = Session.start(parse(data), tmp_path / "run")
    session.run()
    view = session.steering.view(session.steering.trajectory.head)
    state = session.steering.trajectory.states[1]
    theirs = fixed.steering.trajectory.states[1].feedback
    assert state.feedback is not None
    assert theirs is not None
    wanted = (theirs.mean("psnr_y") or 0) + 1000.0 - (state.feedback.mean("psnr_y") or 0)
    assert view.violation(state) == pytest.approx(wanted / 0.1)
    finished = session.steering.trajectory.finished
    assert finished is not None
    assert "none of them keeps the constraints" in finished.rule
    with pytest.raises(Refused, match="relative to the fixed run"):
        Session.start(parse({**data, "fixed_run": None}), tmp_path / "none")
    with pytest.raises(Refused, match="did not keep to the fixed weights"):
        Session.start(parse({**data, "fixed_run": str(tmp_path / "run")}), tmp_path / "other")


def test_people_are_named_where_a_goal_wants_them() -> None:
    with pytest.raises(Refused, match="comes from people"):
        parse(experiment_without_people())


def experiment_without_people() -> dict[str, Any]:
    import tempfile

    return experiment(Path(tempfile.mkdtemp()), goal=PAIRS, tolerance={})


def test_the_fixed_baseline_of_people_needs_nobody(tmp_path: Path) -> None:
    data = asking(tmp_path, final=2)
    data["goal"]["constraints"] = [{"metric": "psnr_y", "relative_to": "fixed", "at_least": -0.3}]
    chosen = baseline(parse(data), "fixed")
    assert chosen.people is None
    assert chosen.goal.wish
    assert not chosen.goal.targets
    assert not chosen.goal.constraints
    assert "psnr_y" in chosen.guards
    assert needs_fixed(parse(data))


def test_a_step_back_starts_there_even_where_nothing_else_changes(tmp_path: Path) -> None:
    run = tmp_path / "run"
    data = {**asking(tmp_path), "agent": {"kind": "fixed", "rollback": True}}
    with pytest.raises(Waiting):
        Session.start(parse(data), run).run()
    answer(run)
    post(run, Undo(author="eve", state=0))
    with pytest.raises(Waiting):
        Session.resume(run).run()
    state = read_trajectory(run).states[2]
    assert state.decision is not None
    assert (state.parent, state.decision.replicate) == (0, 1), "the same weights, on the next window of data"
    assert "rollback" not in state.decision.adjusted_by


def test_a_state_that_somebody_wants_back_is_not_pruned(tmp_path: Path) -> None:
    data = asking(tmp_path)
    data["training"] |= {"stages": 4, "keep": 0}
    run = tmp_path / "run"
    session = Session.start(parse(data), run)
    for _ in range(2):
        with pytest.raises(Waiting):
            session.run()
        answer(run)
        session = Session.resume(run)
    with pytest.raises(Waiting):
        session.run()
    last = read_trajectory(run).states[-1]
    assert last.parent is not None
    answer(run, prefer="newer")
    post(run, Undo(author="eve", state=last.parent))
    with pytest.raises(Waiting):
        Session.resume(run).run()
    back = read_trajectory(run).states[-1]
    assert back.parent == last.parent


def test_stop_is_heeded_while_the_run_waits_and_late_requests_are_refused(tmp_path: Path) -> None:
    run = tmp_path / "run"
    session = Session.start(parse(asking(tmp_path, patience=60)), run)

    def later() -> None:
        until(lambda: bool(read_trajectory(run).panel.open))
        post(run, StopRun(author="eve"))

    thread = threading.Thread(target=later)
    thread.start()
    with pytest.raises(Interrupted, match="eve stopped"):
        session.run()
    thread.join()
    go_on_asking(run, asking(tmp_path))
    post(run, NextWeights(author="eve", weights={"l1": 1.0, "mse": 1.0, "gan": 0.1}))
    Session.resume(run).run()
    assert any(e.kind == "ignored" and "last stage is decided" in e.reason for e in read_events(run))


def go_on_asking(run: Path, data: dict[str, Any]) -> Session:
    """Goes on without patience until the end."""
    while True:
        session = Session.resume(run)
        session.parts.experiment = parse(data)
        try:
            session.run()
            return session
        except Waiting:
            assert answer(run)


def test_an_answer_to_another_question_is_not_taken_for_this_one(tmp_path: Path) -> None:
    replies = ["Weights: l1:mse:gan=1.0:0.4:0.1\nThoughts: a", "Weights: l1:mse:gan=1.0:0.6:0.2\nThoughts: b"]
    data = experiment(
        tmp_path,
        agent={"kind": "llm", "answer": "pattern", "query": "pooled"},
        chat={"kind": "scripted", "replies": replies},
    )
    run = tmp_path / "run"
    session = Session.start(parse(data), run)
    decide = session.steering.book.append

    def killed(event: Any) -> None:
        if event.kind == "decided" and event.state == 3:
            raise KeyboardInterrupt
        decide(event)

    session.steering.book.append = killed
    with pytest.raises(KeyboardInterrupt):
        session.run()
    post(run, Undo(author="eve", state=1))
    Session.resume(run).run()
    decision = read_trajectory(run).states[3].decision
    assert decision is not None
    assert decision.restart_from == 1
    (key,) = decision.exchanges
    asked = {e.key: e for e in read_exchanges(run, 3)}
    assert asked[key].messages != asked["pooled/0"].messages, "asked anew, where the person chose to start"


def test_marks_with_a_limit_leave_the_choice_alone(tmp_path: Path) -> None:
    goal = {"targets": [{"metric": "psnr_y"}], "constraints": [{"metric": "rating", "at_least": 3}]}
    data = experiment(
        tmp_path, goal=goal, agent={"kind": "random"}, people={"ask": "rating", "patience": 0, "final": 0}
    )
    run = tmp_path / "run"
    session = Session.start(parse(data), run)
    while True:
        try:
            session.run()
            break
        except Waiting:
            panel = read_trajectory(run).panel
            for task in panel.open:
                post(run, Rating(task=task.id, rater="ann", rating=5))
            session = Session.resume(run)
    finished = session.steering.trajectory.finished
    assert finished is not None
    assert "none of them" not in finished.rule
    assert "limits of rating left out" in finished.rule


def test_beside_fixed_everything_is_carried_out_and_the_last_word_collected(tmp_path: Path) -> None:
    data = asking(tmp_path, final=2)
    data["training"]["stages"] = 2
    data["goal"]["constraints"] = [{"metric": "psnr_y", "relative_to": "fixed", "at_least": -30.0}]
    chosen = parse(data)
    out, console = tmp_path / "run", Console(quiet=True)
    for _ in range(6):
        try:
            folders = carry_out_beside(chosen, out, ["fixed"], console, "again")
            break
        except Waiting:
            assert answer(out)
    assert folders == [out, tmp_path / "run-fixed"]
    trajectory = read_trajectory(out)
    assert trajectory.finished is not None
    question = trajectory.panel.question(trajectory.finished.selected, "final")
    assert question is not None
    assert question.closed
    assert len(question.tasks) == 4, "against the start and against the fixed run, on two unseen images"
    tables = json.loads((tmp_path / "run-fixed" / "evaluation.json").read_text())["sets"]["test"]["rows"]
    depth = trajectory.states[trajectory.finished.selected].depth
    assert f"depth {depth}" in tables


@pytest.mark.parametrize(("key", "value"), [("seed", 99), ("iterations", 2), ("feedback", None)])
def test_a_fixed_run_made_otherwise_is_refused(tmp_path: Path, key: str, value: int | None) -> None:
    data = experiment(tmp_path, agent={"kind": "fixed"})
    Session.start(parse(data), tmp_path / "fixed").run()
    limit = {"metric": "psnr_y", "relative_to": "fixed", "at_least": -1.0}
    goal = {"targets": [{"metric": "psnr_y"}], "constraints": [limit]}
    other = {**experiment(tmp_path), "goal": goal, "fixed_run": str(tmp_path / "fixed")}
    if key == "seed":
        other["seed"] = value
    elif key == "iterations":
        other["training"]["iterations"] = value
    else:
        other["data"]["feedback"] = str(pictures(tmp_path / "others", 2, seed=77))
    with pytest.raises(Refused, match=key if key != "feedback" else "other images in its set 'feedback'"):
        Session.start(parse(other), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_step_back_before_the_first_stage_changes_nothing(tmp_path: Path) -> None:
    data = asking(tmp_path)
    data["bounds"] = {"high": 0.9}  # the initial weights lie outside, and are trained with as they are
    run = tmp_path / "run"
    session = Session.start(parse(data), run)
    post(run, Undo(author="eve", state=0))
    with pytest.raises(Waiting):
        session.run()
    decision = read_trajectory(run).states[1].decision
    assert decision is not None
    assert (decision.author, decision.weights) == ("initial", session.parts.experiment.initial)
