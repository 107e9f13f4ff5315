"""Words in a run: what a reviewer says is feedback, stands in the prompts as quoted data, and in the report."""

from __future__ import annotations

from pathlib import Path

from lossagent.experiment import parse
from lossagent.report import write_report
from lossagent.runs import read_exchanges
from lossagent.session import Session
from tiny import experiment

MODEL = {"kind": "scripted", "replies": ["Weights: l1:mse:gan=1.0:0.4:0.1\nThoughts: sharper, please."]}
AGENT = {"kind": "llm", "answer": "pattern", "query": "pooled"}


def test_the_describers_words_are_all_the_feedback_of_a_wish(tmp_path: Path) -> None:
    goal = {"wish": "no plastic skin"}
    data = experiment(tmp_path, goal=goal, tolerance={}, reviewers={"eye": {"kind": "describer"}}, agent=AGENT, chat=MODEL)
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
