"""Rating in a terminal, by lines of the standard input."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner, Result

import beginnings
from lossagent.commands.rate import rate, show, understood
from lossagent.errors import Refused
from lossagent.events import Asked, Closed, Event, Finished, Rated, Trained
from lossagent.judgements import Judgement, Task
from lossagent.letters import Rating
from lossagent.mailbox import Mailbox
from lossagent.records import StageReport
from lossagent.weights import Weights

NEW, OLD = "state-0001", "state-0000"
PAIRS = tuple(
    Task(id=f"state-0001-{i:03d}", kind="pair", image=f"image{i}", left=(NEW, OLD)[i % 2], right=(OLD, NEW)[i % 2])
    for i in range(3)
)
APP = typer.Typer()
APP.command()(rate)


def made(root: Path, tasks: tuple[Task, ...] = PAIRS, *more: Event, started: bool = True) -> Path:
    """A run folder that waits for answers to tasks; states differ in brightness."""
    run = root / "run"
    (run / "mailbox").mkdir(parents=True)
    (run / "experiment.yaml").write_text("people: {ask: pairs, question: 'Whose skin is real?'}\n")
    events: list[Event] = [beginnings.started(Weights.of({"l1": 1.0}), 3)] if started else []
    events += [Trained(state=0, report=StageReport()), Asked(state=1, tasks=tasks), *more]
    (run / "events.jsonl").write_text("".join(e.model_dump_json() + "\n" for e in events))
    for side, value in ((NEW, 200), (OLD, 50)):
        (run / "images" / side).mkdir(parents=True)
        for i in range(3):
            picture = Image.fromarray(np.full((8, 6 + i, 3), value, dtype=np.uint8))
            picture.save(run / "images" / side / f"image{i}.png")
    return run


def typed(run: Path, lines: str, *options: str) -> Result:
    return CliRunner().invoke(APP, [str(run), *options], input=lines, catch_exceptions=False)


def letters(run: Path) -> list[Rating]:
    found = [one.letter for _, received in Mailbox(run).waiting() for one in received]
    return [letter for letter in found if isinstance(letter, Rating)]


def test_answers_become_letters_in_order(tmp_path: Path) -> None:
    run = made(tmp_path)
    result = typed(run, "l\nr less ringing\ntie\n", "--rater", "ann")
    assert result.exit_code == 0
    assert [(x.task, x.rater, x.verdict, x.comment) for x in letters(run)] == [
        (PAIRS[0].id, "ann", "left", ""),
        (PAIRS[1].id, "ann", "right", "less ringing"),
        (PAIRS[2].id, "ann", "tie", ""),
    ]
    assert "[1/3] Whose skin is real?" in result.output
    assert "[3/3]" in result.output
    assert "3 answered by ann, 0 open." in result.output
    assert "lossagent resume" in result.output


def test_nothing_on_the_screen_tells_the_sides(tmp_path: Path) -> None:
    run = made(tmp_path)
    shown = typed(run, "l\nl\nl\n", "--rater", "ann").output.replace(str(run), "")
    assert NEW not in shown
    assert OLD not in shown
    assert "image0" not in shown
    names = {Path(p).name for p in re.findall(r"\S+\.png", shown)}
    assert names == {f"{i:03d}-{label}.png" for i in (1, 2, 3) for label in ("left", "right", "both")}


def test_pictures_are_written_anew_and_taken_away(tmp_path: Path) -> None:
    run = made(tmp_path)
    folder = tmp_path / "shown"
    folder.mkdir()
    paths = show(PAIRS[1], run / "images", folder, 7)
    assert paths is not None
    assert [p.name for p in paths.values()] == ["007-left.png", "007-right.png", "007-both.png"]
    assert np.asarray(Image.open(paths["left"])).max() == 50
    assert np.asarray(Image.open(paths["right"])).min() == 200
    sheet = np.asarray(Image.open(paths["side by side"]))
    assert sheet.shape == (8, 7 + 24 + 7, 3)
    assert (sheet[:, :7] == 50).all()
    assert (sheet[:, -7:] == 200).all()
    output = typed(run, "q\n", "--rater", "ann").output
    assert not any(Path(p).exists() for p in re.findall(r"\S+\.png", output))


def test_what_is_no_answer_is_asked_again(tmp_path: Path) -> None:
    run = made(tmp_path, PAIRS[:1])
    result = typed(run, "maybe\n\n3\nL\n", "--rater", "ann")
    assert "'maybe' is no answer; wanted: l left, r right, t tie" in result.output
    assert [x.verdict for x in letters(run)] == ["left"]


def test_skip_quit_and_the_end_of_input_leave_tasks_open(tmp_path: Path) -> None:
    run = made(tmp_path)
    assert "1 answered by ann, 2 open" in typed(run, "s\nr\nq\n", "--rater", "ann").output
    assert [x.task for x in letters(run)] == [PAIRS[1].id]
    again = typed(run, "l\n", "--rater", "ann").output  # the letter that nobody has read is remembered
    assert "1 answered by ann, 1 open" in again
    assert [x.task for x in letters(run)] == [PAIRS[1].id, PAIRS[0].id]
    assert "0 answered by ann, 1 open" in typed(run, "", "--rater", "ann").output


def test_several_people_answer_the_same_tasks(tmp_path: Path) -> None:
    read = Rated(judgement=Judgement(task=PAIRS[0].id, rater="ann", verdict="left"))
    run = made(tmp_path, PAIRS, read)
    typed(run, "r\nr\n", "--rater", "ann")
    typed(run, "l\nl\nl\n", "--rater", "bob")
    assert [(x.rater, x.task) for x in letters(run)] == [
        ("ann", PAIRS[1].id), ("ann", PAIRS[2].id), *(("bob", task.id) for task in PAIRS)
    ]  # fmt: skip


def test_marks_and_words(tmp_path: Path) -> None:
    tasks = (
        Task(id="m", kind="rating", image="image0", left=NEW),
        Task(id="w", kind="comment", image="image1", left=NEW),
    )
    run = made(tmp_path, tasks)
    result = typed(run, "6\n2 too smooth\nplastic skin, good hair\n", "--rater", "ann")
    assert "'6' is no answer; wanted: 1 to 5" in result.output
    first, second = letters(run)
    assert (first.task, first.rating, first.verdict, first.comment) == ("m", 2, None, "too smooth")
    assert (second.task, second.rating, second.comment) == ("w", None, "plastic skin, good hair")
    assert re.findall(r"\d+-\w+\.png", result.output) == ["001-image.png", "002-image.png"]


def test_too_many_words_are_said() -> None:
    task = Task(id="w", kind="comment", image="a", left=NEW)
    assert understood(task, "x" * 5000, "ann") == "That is too long: 5000 characters, and 4000 are allowed."
    assert isinstance(understood(task, "x" * 4000, "ann"), Rating)


def test_a_lost_image_is_left_out(tmp_path: Path) -> None:
    run = made(tmp_path)
    (run / "images" / OLD / "image0.png").unlink()
    result = typed(run, "l\nl\n", "--rater", "ann")
    assert "the images of image0 are not there; left out" in result.output
    assert len(letters(run)) == 2


def test_closed_questions_are_not_asked(tmp_path: Path) -> None:
    run = made(tmp_path, PAIRS, Closed(state=1), Finished(selected=0, rule="last"))
    output = typed(run, "", "--rater", "ann", "--follow").output
    assert "0 open. The run has finished." in output


@pytest.mark.parametrize("rater", ["", " ", "x" * 81])
def test_names_that_are_none_are_refused(tmp_path: Path, rater: str) -> None:
    with pytest.raises(Refused, match="a name of 1 to 80 characters"):
        typed(made(tmp_path), "", "--rater", rater)


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no run folder"):
        typed(tmp_path, "", "--rater", "ann")
    with pytest.raises(Refused, match="has not started"):
        typed(made(tmp_path, started=False), "", "--rater", "ann")
