"""Letters: whole or not there, read once and in order, refused with a reason and never lost."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from lossagent.errors import Refused
from lossagent.letters import Comment, Letter, NextWeights, Pause, Rating
from lossagent.mailbox import LARGEST, Mailbox, post


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "mailbox").mkdir()
    return tmp_path


def drop(run: Path, name: str, text: str, age: float = 60) -> Path:
    path = run / "mailbox" / name
    path.write_text(text, encoding="utf-8")
    os.utime(path, (time.time() - age,) * 2)
    return path


def read(run: Path) -> list[tuple[Letter | None, str]]:
    box = Mailbox(run)
    found: list[tuple[Letter | None, str]] = []
    for path, received in box.waiting():
        found += [(one.letter, one.reason) for one in received]
        box.put_away(path, [one.reason for one in received if one.letter is None])
    return found


def test_letters_are_read_in_the_order_in_which_they_were_sent_and_once(run: Path) -> None:
    sent = [Pause(author="a"), Rating(task="t", rater="b", verdict="tie"), Comment(rater="c", state=1, text="soft")]
    for letter in sent:
        post(run, letter)
    assert [letter for letter, _ in read(run)] == sent
    assert read(run) == []
    assert len(list((run / "mailbox" / "taken").glob("*.json"))) == 3


def test_a_list_is_several_letters(run: Path) -> None:
    drop(run, "both.json", json.dumps([{"kind": "pause", "author": "a"}, {"kind": "go-on", "author": "a"}]))
    (first, second) = Mailbox(run).waiting().__next__()[1]
    assert first.id.startswith("both-")
    assert first.id.endswith("#1")
    assert second.id == first.id[:-1] + "2"


def test_a_name_that_is_used_again_is_another_letter_and_a_file_read_twice_is_not(run: Path) -> None:
    path = drop(run, "mine.json", '{"kind": "pause", "author": "a"}')
    ((_, (first,)),) = Mailbox(run).waiting()
    ((_, (again,)),) = Mailbox(run).waiting()
    assert first.id == again.id, "it was read, and the process died before it was put away"
    Mailbox(run).put_away(path, [])
    drop(run, "mine.json", '{"kind": "pause", "author": "a"}', age=30)
    ((_, (other,)),) = Mailbox(run).waiting()
    assert other.id != first.id
    Mailbox(run).put_away(path, [])
    assert len(list((run / "mailbox" / "taken").iterdir())) == 2


def test_odd_names_and_bytes_stop_nothing(run: Path) -> None:
    odd = os.path.join(os.fsencode(run / "mailbox"), b"\xff\xfe.json")
    with open(odd, "w") as file:
        file.write('{"kind": "comment", "rater": "\\ud800", "state": 0, "text": "\\udfff"}')
    drop(run, "x" * 240 + ".json", "{")
    drop(run, "bom.json", '\ufeff{"kind": "pause", "author": "a"}')
    drop(run, "names.json", '{"kind": "weights", "author": "e", "weights": {"\\ud800": 1}}')
    drop(run, "long.json", json.dumps({"kind": "pause", "author": "a", "k" * 900_000: 1}))
    locked = drop(run, "locked.json", '{"kind": "pause", "author": "a"}')
    locked.chmod(0)
    box = Mailbox(run)
    for path, received in box.waiting():
        for one in received:
            one.id.encode("utf-8")
            one.reason.encode("utf-8")
            assert len(one.reason) <= 400
            if one.letter is not None:
                one.letter.model_dump_json().encode("utf-8")
        box.put_away(path, [one.reason for one in received if one.letter is None])
    assert not [p for p in (run / "mailbox").iterdir() if p.suffix == ".json"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no JSON"),
        ('{"kind": "pause"', "no JSON"),
        ("[]", "empty list"),
        ("3", "letter"),
        ('{"kind": "shutdown"}', "shutdown"),
        ('{"kind": "pause", "author": "a", "extra": 1}', "extra"),
        ('{"kind": "pause", "author": "  "}', "author"),
        ('{"kind": "undo", "author": "a", "state": -1}', "state"),
        ('{"kind": "undo", "author": "a", "state": "1"}', "state"),
        ('{"kind": "judgement", "task": "t", "rater": "a", "rating": 6}', "rating"),
        ('{"kind": "judgement", "task": "t", "rater": "a", "verdict": "both"}', "verdict"),
        ('{"kind": "weights", "author": "a", "weights": {}}', "weights"),
        ('{"kind": "weights", "author": "a", "weights": {"l1": -1}}', "weights"),
        ('{"kind": "weights", "author": "a", "weights": {"l1": NaN}}', "weights"),
        ('{"kind": "weights", "author": "a", "weights": {"l1": 1e999}}', "weights"),
        ('{"kind": "weights", "author": "a", "weights": {"l1": 0}}', "weights"),
        ('{"kind": "comment", "rater": "a", "state": 0, "text": "' + "x" * 5000 + '"}', "text"),
        ("[" * 100_000, "JSON"),
    ],
)
def test_what_is_no_letter_is_refused_with_the_reason_beside_it(run: Path, text: str, reason: str) -> None:
    drop(run, "odd.json", text)
    ((letter, why),) = read(run)
    assert letter is None
    assert reason in why
    kept = run / "mailbox" / "refused"
    assert (kept / "odd.json").read_text(encoding="utf-8") == text, "nothing is lost"
    assert why in (kept / "odd.reason.txt").read_text(encoding="utf-8")


def test_a_file_that_is_still_being_written_is_left_until_it_is_whole(run: Path) -> None:
    path = drop(run, "slow.json", '{"kind": "pau', age=0)
    assert read(run) == []
    assert path.exists()
    path.write_text('{"kind": "pause", "author": "a"}')
    assert read(run) == [(Pause(author="a"), "")]


def test_links_folders_and_huge_files_are_not_opened(run: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text('{"kind": "pause", "author": "a"}')
    (run / "mailbox" / "link.json").symlink_to(secret)
    (run / "mailbox" / "folder.json").mkdir()
    drop(run, "huge.json", " " * (LARGEST + 1))
    assert [letter for letter, _ in read(run)] == [None, None, None]
    assert secret.exists()


def test_files_under_other_names_are_left_alone(run: Path) -> None:
    drop(run, "notes.txt", "hello")
    drop(run, ".half.json", "{")
    assert read(run) == []


def test_there_is_nowhere_to_post_without_a_run(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"Is .* a run folder"):
        post(tmp_path / "nothing", Pause(author="a"))


def test_weights_by_hand_may_switch_a_loss_off(run: Path) -> None:
    post(run, NextWeights(author="a", weights={"l1": 1.0, "gan": 0.0}))
    ((letter, _),) = read(run)
    assert isinstance(letter, NextWeights)
    assert letter.weights["gan"] == 0
