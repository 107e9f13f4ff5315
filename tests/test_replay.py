"""A recorded run, replayed: its decisions come out again, and other agents answer at its steps."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from beginnings import started
from command_line import command, written
from lossagent.agents.hybrid.agent import Hybrid
from lossagent.agents.random_weights import Random
from lossagent.agents.rollback import Rollback
from lossagent.chat import Scripted
from lossagent.chat.base import AnswerFormat
from lossagent.errors import Refused
from lossagent.events import EVENTS, AnyEvent, Decided, Requested
from lossagent.experiment import parse
from lossagent.feedback import Feedback
from lossagent.goal import Goal, Target
from lossagent.letters import NextWeights, Undo
from lossagent.records import Exchange, Message
from lossagent.replay import OnlyRecorded, counterfactual, read_recording, remake
from lossagent.runs import RunFolder, read_events
from lossagent.session import Session
from lossagent.steering import Steering
from lossagent.weights import Weights
from tiny import experiment

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "replay.md").read_text(encoding="utf-8")
GOAL = Goal(targets=(Target(metric="niqe", direction="lower", unit=0.1),))
ANSWERS = [f"Weights: l1:mse:gan=1.0:{m}:{g}\nThoughts: go" for m in (0.3, 0.6) for g in (0.05, 0.2)]
LLM = {"kind": "llm", "rollback": True, "answer": "pattern", "query": "per_image", "retries": 1}


def scores(value: float) -> Feedback:
    return Feedback(scores={"niqe": {f"image{i}": value + i for i in range(10)}})


def own_loop(folder: Path, by_hand: Callable[[RunFolder, int], None] | None = None) -> Path:
    """A run of somebody's own loop under guarded random weights; it gets worse, so that stages are taken back."""
    with RunFolder.at(folder) as log:
        steering = Steering(
            agent=Rollback(Random(3.0)),
            goal=GOAL,
            initial=Weights.of({"l1": 1.0, "gan": 0.1}),
            stages=6,
            log=log,
            seed=5,
            can_restart=True,
        )
        steering.tell(0, feedback=scores(7.0))
        while stage := steering.ask():
            steering.tell(stage.state, feedback=scores(7.0 + (-1) ** stage.state * 0.1 * stage.state))
            if by_hand is not None:
                by_hand(log, stage.state)
                steering = Steering(
                    agent=Rollback(Random(3.0)),
                    goal=GOAL,
                    initial=Weights.of({"l1": 1.0, "gan": 0.1}),
                    stages=6,
                    log=log,
                    seed=5,
                    can_restart=True,
                )
    return folder


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A finished run whose agent asked a scripted language model."""
    with pytest.MonkeyPatch.context() as patch:
        root = tmp_path_factory.mktemp("replay")
        patch.setenv("LOSSAGENT_HOME", str(root / "home"))
        data = experiment(
            root, agent=LLM, chat={"kind": "scripted", "replies": [ANSWERS[0], "I do not know.", ANSWERS[3]]}
        )
        Session.start(parse(data), root / "run").run()
        yield root / "run"


def changed(run: Path, target: Path, change: Callable[[AnyEvent], AnyEvent]) -> Path:
    """A copy of a run with other events."""
    shutil.copytree(run, target, ignore=shutil.ignore_patterns("checkpoints", "images"))
    lines = [change(event).model_dump_json() for event in read_events(run)]
    (target / "events.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return target


def test_a_run_is_made_again_without_its_language_model(asked: Path) -> None:
    recording = read_recording(asked)
    assert recording.exchanges
    assert any(e.problem for e in recording.exchanges)
    steps = remake(recording)
    assert [step.moment.state for step in steps] == [1, 2, 3]
    assert all(step.same for step in steps)
    assert [step.decision for step in steps] == [step.moment.decision for step in steps]


def test_a_decision_that_does_not_follow_from_the_record_is_found(asked: Path, tmp_path: Path) -> None:
    def tamper(event: AnyEvent) -> AnyEvent:
        if not isinstance(event, Decided) or event.state != 2:
            return event
        other = Weights.of({"l1": 1.0, "mse": 0.77, "gan": 0.1})
        return event.model_copy(update={"decision": event.decision.model_copy(update={"weights": other})})

    shown = command("replay", changed(asked, tmp_path / "run", tamper), "--json")
    assert shown.status == 1
    record = json.loads(shown.out)
    assert [step["same"] for step in record["steps"]][:2] == [True, False]
    assert record["steps"][1]["recorded"]["weights"]["mse"] == 0.77


def test_a_question_without_its_answer_is_not_asked_again(asked: Path, tmp_path: Path) -> None:
    run = changed(asked, tmp_path / "run", lambda event: event)
    (run / "exchanges" / "state-0003.jsonl").unlink()
    shown = command("replay", run)
    assert shown.status == 1
    assert "of state 3 is not recorded" in re.sub(r"\s+", " ", shown.out)
    assert "2 of 3 decisions are the same." in shown.out


def test_the_command_prints_a_table_and_ends_with_0_where_all_is_the_same(asked: Path) -> None:
    shown = command("replay", asked)
    assert shown.status == 0, shown.err
    assert "Weights of l1:mse:gan" in shown.out
    assert "rollback(llm)" in shown.out
    assert "3 of 3 decisions are the same." in shown.out


def test_another_agent_answers_at_the_same_steps(asked: Path) -> None:
    shown = command("replay", asked, "--agent", "fixed", "--json")
    assert shown.status == 0, shown.err
    record = json.loads(shown.out)
    initial = {"l1": 1.0, "mse": 0.5, "gan": 0.1}
    assert [step["now"]["weights"] for step in record["steps"]] == [initial] * 3
    assert [step["author"] for step in record["steps"]] == ["initial", "rollback(llm)", "rollback(llm)"]
    assert record["steps"][1]["recorded"]["weights"] != initial


def test_recorded_answers_do_for_an_agent_that_asks_the_same(asked: Path, tmp_path: Path) -> None:
    (tmp_path / "agent.yaml").write_text(yaml.safe_dump({"agent": LLM}), encoding="utf-8")
    shown = command("replay", asked, "--agent", tmp_path / "agent.yaml")
    assert shown.status == 0, shown.err
    assert "3 of 3 decisions are the same." in shown.out


def test_an_agent_that_asks_something_else_needs_a_model(asked: Path) -> None:
    other = "{kind: llm, answer: pattern, query: pooled, direction: all_off}"
    refused = command("replay", asked, "--agent", other)
    assert refused.status == 2
    assert "--chat SETTINGS" in refused.err
    assert refused.out == ""
    chat = f"{{kind: scripted, replies: ['{ANSWERS[0].splitlines()[0]}']}}"
    shown = command("replay", asked, "--agent", other, "--chat", chat, "--json")
    assert shown.status == 0, shown.err
    steps = json.loads(shown.out)["steps"]
    assert steps[1]["now"]["weights"]["mse"] == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--agent", "fixd"], "kind must be one of"),
        (["--agent", "{kind: random, spread: 0.5}"], "agent.spread"),
        (["--agent", "there-is-none.yaml"], "there is no file"),
        (["--agent", "[1, 2]"], "must be a kind"),
        (["--chat", "embedded"], "--chat goes with --agent"),
    ],
    ids=str,
)
def test_agents_that_cannot_be_are_refused(asked: Path, words: list[str], said: str) -> None:
    refused = command("replay", asked, *words)
    assert refused.status == 2
    assert said in refused.err


def test_a_folder_without_decisions_is_refused(tmp_path: Path) -> None:
    assert command("replay", tmp_path).status == 2
    (tmp_path / "events.jsonl").write_text(
        started(Weights.of({"l1": 1.0}), 1).model_dump_json() + "\n", encoding="utf-8"
    )
    refused = command("replay", tmp_path)
    assert refused.status == 2
    assert "holds no decision yet" in refused.err


def test_a_loop_of_ones_own_is_made_again_by_an_agent_of_ones_own(tmp_path: Path) -> None:
    recording = read_recording(own_loop(tmp_path / "run"))
    assert any(m.decision.restart_from != m.state - 1 for m in recording.moments)
    assert all(step.same for step in remake(recording, Rollback(Random(3.0))))
    assert not all(step.same for step in remake(recording, Rollback(Random(2.0))))
    with pytest.raises(Refused, match="agent \\('rollback\\(random\\)'\\) is an object of yours"):
        remake(recording)
    shown = command("replay", tmp_path / "run", "--agent", "{kind: random, rollback: true, spread: 3}")
    assert "6 of 6 decisions are the same." in shown.out


def test_an_agent_that_compares_pairs_is_made_again_from_its_exchanges(tmp_path: Path) -> None:
    chat = Scripted(lambda messages, seed: '{"A": -0.2, "B": -1.8}')
    with RunFolder.at(tmp_path / "run") as log:
        initial = Weights.of({"l1": 1.0, "gan": 0.1})
        steering = Steering(agent=Hybrid(chat), goal=GOAL, initial=initial, stages=4, log=log)
        steering.tell(0, feedback=scores(7.0))
        while stage := steering.ask():
            steering.tell(stage.state, feedback=scores(7.0 - 0.1 * stage.state))
    recording = read_recording(tmp_path / "run")
    assert recording.exchanges
    assert all(step.same for step in remake(recording, Hybrid(OnlyRecorded([]))))


def test_people_decide_again_as_they_did(tmp_path: Path) -> None:
    def by_hand(log: RunFolder, state: int) -> None:
        if state == 2:
            asked_for = NextWeights(author="Ada", weights={"l1": 1.0, "gan": 0.25})
            log.append(Requested(letter="a", request=asked_for))
        if state == 4:
            log.append(Requested(letter="b", request=Undo(author="Ada", state=1)))

    recording = read_recording(own_loop(tmp_path / "run", by_hand))
    authors = [m.decision.author for m in recording.moments]
    assert authors[2] == authors[4] == "human"
    assert all(step.same for step in remake(recording, Rollback(Random(3.0))))
    other = counterfactual(recording, Random(3.0))
    assert [step.decision.author for step in other if step.decision] == ["initial", *["random"] * 5]
    assert not other[2].same


def test_an_agent_that_restarts_is_refused_where_the_trainer_could_not(tmp_path: Path) -> None:
    with RunFolder.at(tmp_path / "run") as log:
        steering = Steering(agent=Random(), goal=GOAL, initial=Weights.of({"l1": 1.0, "gan": 0.1}), stages=2, log=log)
        steering.tell(0, feedback=scores(7.0))
        while stage := steering.ask():
            steering.tell(stage.state, feedback=scores(6.0))
    with pytest.raises(Refused, match="the trainer of this run could not"):
        counterfactual(read_recording(tmp_path / "run"), Rollback(Random()))


def test_the_log_keeps_what_the_agent_is_told_and_says_when_it_changes(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    initial = Weights.of({"l1": 1.0, "gan": 0.1})
    with RunFolder.at(folder) as log:
        Steering(agent=Random(), goal=GOAL, initial=initial, stages=2, log=log, seed=1)
    with RunFolder.at(folder) as log:
        Steering(agent=Random(), goal=GOAL, initial=initial, stages=2, log=log, seed=1)
    with RunFolder.at(folder) as log:
        Steering(agent=Random(), goal=GOAL, initial=initial, stages=2, log=log, seed=2)
    told = [getattr(event, "told", None) for event in read_events(folder)]
    assert [t.seed if t is not None else None for t in told] == [1, None, 2]
    assert all(EVENTS.validate_json(e.model_dump_json()) == e for e in read_events(folder))


def test_a_chat_of_records_refuses_what_was_not_asked_as_often() -> None:
    question = (Message(role="user", content="what next?"),)
    chat = OnlyRecorded([Exchange(key="pooled/0", author="model", messages=question, raw="this")])
    form = AnswerFormat("pattern", None, None)
    assert chat.complete(question, form, 0, 1.0).text == "this"
    with pytest.raises(Refused, match="not in the recorded exchanges"):
        chat.complete(question, form, 0, 1.0)


@pytest.mark.usefixtures("no_assets")
def test_the_page_shows_what_runs(asked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "runs").mkdir()
    shutil.copytree(asked, tmp_path / "runs" / "niqe")
    written({"agent": LLM}, tmp_path, "other.yaml")
    monkeypatch.chdir(tmp_path)
    lines = re.findall(r"^lossagent (replay .*)$", PAGE, re.MULTILINE)
    assert len(lines) >= 4
    for line in lines:
        words = shlex.split(line)
        if "--chat" in words:  # another model than this machine may have
            words[-1] = f"{{kind: scripted, replies: ['{ANSWERS[0].splitlines()[0]}']}}"
        assert command(*words).status == 0, line
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(program, {})
