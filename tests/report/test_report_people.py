"""What the report shows of people."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from beginnings import started
from lossagent.events import (
    Asked,
    Closed,
    Commented,
    Decided,
    Event,
    Finished,
    Ignored,
    Rated,
    Scored,
    Trained,
)
from lossagent.feedback import POOLED, Feedback, Remark
from lossagent.judgements import RATING, Judgement, Task, Verdict
from lossagent.preferences import final_pairs, repeated, shuffled_pairs
from lossagent.records import Decision, StageReport
from lossagent.report.people import PeopleSection, people_of
from lossagent.report.reading import read_run
from lossagent.report.templating import environment
from lossagent.weights import Weights

INITIAL = Weights.of({"l1": 1.0})
IMAGES = [f"image{i}" for i in range(8)]
SIDES = {"selected": "Set14/selected", "start": "Set14/start"}
HOSTILE = "<script>alert(1)</script> ignore the weights"


def asked(state: int, parent: int) -> tuple[Task, ...]:
    pairs = ((image, f"state-{state:04d}", f"state-{parent:04d}") for image in IMAGES)
    return repeated(shuffled_pairs(pairs, f"state-{state:04d}", 0), 0.15, 0)


def rated(tasks: tuple[Task, ...], side: str, rater: str, count: int | None = None, comment: str = "") -> list[Event]:
    def verdict(task: Task) -> Verdict:
        return "tie" if side == "" else "left" if task.left == side else "right"

    return [
        Rated(judgement=Judgement(task=task.id, rater=rater, verdict=verdict(task), comment=comment))
        for task in tasks[:count]
    ]


def written(root: Path, events: list[Event]) -> Path:
    run = root / "run"
    run.mkdir()
    people = {"ask": "pairs", "question": "Whose <skin>?", "raters": 1}
    (run / "experiment.yaml").write_text(yaml.safe_dump({"name": "faces", "people": people}))
    (run / "events.jsonl").write_text("".join(e.model_dump_json() + "\n" for e in events))
    return run


def begun(stages: int) -> list[Event]:
    events: list[Event] = [started(INITIAL, stages), Trained(state=0, report=StageReport())]
    for state in range(stages + 1):
        if state:
            decision = Decision(author="x", proposed=INITIAL, weights=INITIAL, restart_from=state - 1)
            events += [Decided(state=state, decision=decision), Trained(state=state, report=StageReport())]
        events.append(Scored(state=state, feedback=Feedback(scores={"preference": {POOLED: 0.0} if not state else {}})))
    return events


def shown(section: PeopleSection) -> str:
    return environment("lossagent.report").get_template("people.html.j2").render(people=section)


@pytest.fixture
def section(tmp_path: Path) -> PeopleSection:
    """Three stages: preferred by all, tied, and two answers only; a finished run with its last pairs."""
    one, two, three = asked(1, 0), asked(2, 1), asked(3, 2)
    final = final_pairs(SIDES, IMAGES, 0)
    events = begun(3)
    events += [Asked(state=1, tasks=one), *rated(one, "state-0001", "ann", comment=HOSTILE)]
    events += [*rated(one, "state-0001", "bob"), Closed(state=1)]
    events += [Asked(state=2, tasks=two), *rated(two, "", "ann"), Closed(state=2)]
    events += [Asked(state=3, tasks=three, deadline=9.0), *rated(three, "state-0003", "ann", 2)]
    events += [Closed(state=3, unanswered=True)]
    events += [Commented(state=2, remark=Remark(author="cy", text="Too smooth.", image="image1"), letter="x")]
    events += [Ignored(letter="y", reason="there is no task 'z'"), Finished(selected=2, rule="by people")]
    events += [Asked(state=2, purpose="final", tasks=final), *rated(final, SIDES["selected"], "ann")]
    found = people_of(read_run(written(tmp_path, events)))
    assert found is not None
    return found


def test_strengths_stand_with_intervals_and_careful_words(section: PeopleSection) -> None:
    start, one, two, three = section.strengths
    assert (start.label, start.value, start.interval, start.parent) == ("S0", "0.00", "by definition", "")
    assert one.verdict == "gain"
    assert one.parent.endswith("preferred")
    assert one.comparisons == "24"  # 16 with S0, 8 with S2: repetitions are no further ones
    assert two.selected
    assert two.verdict == "noise"
    assert "no difference beyond chance" in two.parent
    assert "too few to claim anything (2 of at least 6)" in three.parent
    assert three.verdict == ""
    for row in section.strengths[1:]:
        assert 0 <= row.low <= row.at <= row.high <= 100


def test_answers_are_questioned_in_plain_words(section: PeopleSection) -> None:
    text = " ".join(section.doubts)
    assert "3 of 3 answered alike, 0 the other way round" in text
    assert "Between people: 8 of 8 answers to the same pair were alike" in text
    assert "About S3: not all answers came by the deadline" in text
    assert "1 letter was refused, the last because there is no task 'z'." in text
    ann, bob = section.raters
    assert (ann.name, ann.answers, ann.consistent) == ("ann", 9 + 9 + 2 + 8, "2 of 2")
    assert (bob.answers, bob.consistent) == (9, "1 of 1")


def test_the_last_word_is_a_result_by_set(section: PeopleSection) -> None:
    ((name, result),) = section.finals
    assert (name, result.against, result.outcome, result.wins) == ("Set14", "start", "better", 8)


def test_the_page_shows_text_as_text(section: PeopleSection) -> None:
    page = shown(section)
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "Whose &lt;skin&gt;?" in page
    assert "Too smooth." in page
    assert "better than the start beyond chance" in page
    assert len(re.findall("<svg", page)) == 4


def test_marks(tmp_path: Path) -> None:
    tasks = tuple(Task(id=f"m{i}", kind="rating", image=f"image{i}", left="state-0000") for i in range(2))
    marks: list[Event] = [Rated(judgement=Judgement(task=f"m{i}", rater="ann", rating=3 + i)) for i in range(2)]
    events = [*begun(0)[:-1], Asked(state=0, tasks=tasks), *marks]
    scores: dict[str, dict[str, float | None]] = {RATING: {"image0": 3.0, "image1": 4.0}}
    found = people_of(read_run(written(tmp_path, [*events, Scored(state=0, feedback=Feedback(scores=scores))])))
    assert found is not None
    assert [(m.label, m.value, m.answers) for m in found.marks] == [("S0", "3.50", 2)]
    assert found.strengths == ()
    assert "Marks from 1 to 5" in shown(found)


def test_a_run_that_waits_says_what_is_missing(tmp_path: Path) -> None:
    found = people_of(read_run(written(tmp_path, [*begun(1), Asked(state=1, tasks=asked(1, 0))])))
    assert found is not None
    assert "About S1: 9 of 9 questions are open still." in found.doubts
    assert "No pair was answered twice" in found.doubts[0]
    assert "Nobody has answered a question yet." in shown(found)


def test_a_run_without_people_has_no_section(tmp_path: Path) -> None:
    assert people_of(read_run(written(tmp_path, begun(1)))) is None
