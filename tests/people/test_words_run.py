"""Words in a run: what a reviewer says is feedback, stands in the prompts as quoted data, and in the report."""

from __future__ import annotations

from pathlib import Path

from fault_server import FaultServer, status
from lossagent.experiment import parse
from lossagent.report import write_report
from lossagent.runs import read_exchanges
from lossagent.session import Session
from tiny import experiment
from vision_server import reviewer, words_of

MODEL = {"kind": "scripted", "replies": ["Weights: l1:mse:gan=1.0:0.4:0.1\nThoughts: sharper, please."]}
AGENT = {"kind": "llm", "answer": "pattern", "query": "pooled"}


def test_the_describers_words_are_all_the_feedback_of_a_wish(tmp_path: Path) -> None:
    goal = {"wish": "no plastic skin"}
    data = experiment(
        tmp_path, goal=goal, tolerance={}, reviewers={"eye": {"kind": "describer"}}, agent=AGENT, chat=MODEL
    )
    session = Session.start(parse(data), tmp_path / "run")
    session.run()
    states = session.steering.trajectory.states
    for state in states:
        assert state.feedback is not None
        assert {r.author for r in state.feedback.remarks} == {"describer"}
        assert state.feedback.remarks[0].image is None, "the summary of the set comes first"
        assert not state.feedback.problems
    second = next(iter(read_exchanges(tmp_path / "run", 2)))
    asked = second.messages[1].content
    assert states[1].feedback is not None
    assert 'describer" remarked: "' in asked
    assert "no plastic skin" in asked
    page = write_report([tmp_path / "run"], tmp_path / "report.html").read_text()
    assert "describer" in page


def test_a_vision_models_words_reach_the_agent_and_are_asked_once(tmp_path: Path) -> None:
    with FaultServer() as server:
        server.play(reviewer())
        critic = {"kind": "server", "base_url": server.url, "model": "seeing", "key_env": None, "show": "pair"}
        data = experiment(
            tmp_path, goal={"wish": "sharper"}, tolerance={}, reviewers={"critic": critic}, agent=AGENT, chat=MODEL
        )
        session = Session.start(parse(data), tmp_path / "run")
        session.run()
        states = session.steering.trajectory.states
        questions = len(server.requests)
        assert questions == 2 * len(states), "one question for each feedback image and state"
        for state in states:
            assert state.feedback is not None
            assert {r.image for r in state.feedback.remarks} == {"p1-0", "p1-1"}
            assert all("the first" in r.text for r in state.feedback.remarks)
        Session.resume(tmp_path / "run").run()
        assert len(server.requests) == questions
    asked = next(iter(read_exchanges(tmp_path / "run", 2)))
    assert states[1].feedback is not None
    assert states[1].feedback.remarks[0].text in asked.messages[1].content
    assert "sharper" in words_of(server.requests[0])
    reviews = [e for e in read_exchanges(tmp_path / "run", 1) if e.key.startswith("review/critic/")]
    assert len(reviews) == 2
    assert all("base64" not in m.model_dump_json() for e in reviews for m in e.messages), "pictures are named, not kept"


def test_a_reviewer_that_is_away_is_a_problem_of_the_state_and_no_end_of_the_run(tmp_path: Path) -> None:
    with FaultServer() as server:
        server.play(status(401))
        critic = {"kind": "server", "base_url": server.url, "model": "seeing", "key_env": None, "deadline": 5}
        data = experiment(tmp_path, reviewers={"critic": critic})
        data["training"]["stages"] = 1
        session = Session.start(parse(data), tmp_path / "run")
        session.run()
    for state in session.steering.trajectory.states:
        assert state.feedback is not None
        assert "critic" in state.feedback.problems
        assert state.feedback.mean("psnr_y") is not None
    page = write_report([tmp_path / "run"], tmp_path / "report.html").read_text()
    assert "401" in page
