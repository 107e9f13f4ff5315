"""Blind tasks, and letters that come through the server."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from PIL import Image
from served_run import HOSTILE, make, names, pairs, picture, stage, write
from starlette.testclient import TestClient

from lossagent.dashboard.app import application
from lossagent.dashboard.serving import background
from lossagent.dashboard.tokens import Place, Tokens
from lossagent.events import Asked, Closed, Finished, Rated, Requested
from lossagent.judgements import Judgement, Task
from lossagent.letters import LETTERS, NextWeights, Pause
from lossagent.mailbox import Mailbox

ME = {"X-Lossagent": "1"}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    run = make(tmp_path / "run", states=3)
    write(run, [pairs(2)])
    return run


@pytest.fixture
def client(run: Path) -> Iterator[TestClient]:
    with TestClient(application(run), base_url="http://127.0.0.1:1", headers=ME) as made:
        made.base_url = f"http://127.0.0.1:1/api/run/{made.get('/api/runs').json()[0]['id']}/"
        yield made


def tasks_of(client: TestClient | httpx.Client, rater: str) -> list[dict]:
    answer = client.get("tasks", params={"rater": rater})
    assert answer.status_code == 200, answer.text
    return answer.json()


def judge(task: str, rater: str, **more: object) -> dict:
    return {"kind": "judgement", "task": task, "rater": rater, "verdict": "left", **more}


def letters_in(run: Path) -> list:
    return [one.letter for _, several in Mailbox(run).waiting() for one in several]


def test_tasks_are_blind(client: TestClient, run: Path) -> None:
    tasks = tasks_of(client, "Ann")
    assert [t["image"] for t in tasks] == names(3)
    assert {tuple(t) for t in tasks} == {("id", "kind", "image", "purpose", "question")}
    assert "secret" not in json.dumps(tasks)
    assert "state-" not in json.dumps(tasks)
    assert {t["id"] for t in tasks}.isdisjoint(t["id"] for t in tasks_of(client, "Bob"))
    assert tasks == tasks_of(client, "Ann")
    for task in tasks:
        answers = [client.get(f"task/{task['id']}/{which}.png") for which in ("left", "right")]
        for answer in answers:
            assert answer.status_code == 200
            assert "etag" not in answer.headers
            assert "last-modified" not in answer.headers
            assert answer.headers["cache-control"] == "no-store"
            with Image.open(io.BytesIO(answer.content)) as shown:
                assert shown.info == {}
            assert b"state" not in answer.content
            assert b"tEXt" not in answer.content
        first, second = (dict(a.headers) for a in answers)
        assert {k: v for k, v in first.items() if k != "content-length"} == {
            k: v for k, v in second.items() if k != "content-length"
        }
    state = (run / "images" / "state-0002" / f"{names(1)[0]}.png").read_bytes()
    shown = client.get(f"task/{tasks[0]['id']}/left.png").content
    with Image.open(io.BytesIO(state)) as a, Image.open(io.BytesIO(shown)) as b:
        assert a.tobytes() == b.tobytes()


def test_tokens_of_other_runs_and_processes_are_unknown(client: TestClient, run: Path) -> None:
    for token in ("secret-2-0", "x" * 20, "..%2f..%2fsecret"):
        assert client.get(f"task/{token}/left.png").status_code == 404
    token = tasks_of(client, "Ann")[0]["id"]
    for which in ("middle", "left.png/..", "state-0002"):
        assert client.get(f"task/{token}/{which}.png").status_code == 404
    with TestClient(application(run), base_url=str(client.base_url)) as other:
        assert other.get(f"task/{token}/left.png").status_code == 404
    tokens = Tokens()
    with pytest.raises(ValueError, match="ask for the tasks again"):
        tokens.place("b", tokens.of(Place("a", "task", "Ann")))


def test_a_judgement_reaches_the_mailbox_under_the_runs_own_name(client: TestClient, run: Path) -> None:
    task = tasks_of(client, "Ann")[1]
    answer = client.post("letters", json=judge(task["id"], "Ann", verdict="right", comment=HOSTILE))
    assert answer.status_code == 200, answer.text
    (path,) = (run / "mailbox").glob("*.json")
    assert path.stem == answer.json()["letter"]
    letter = LETTERS.validate_json(path.read_text())
    assert letter.model_dump() == {
        "kind": "judgement", "task": "secret-2-1", "rater": "Ann", "verdict": "right", "rating": None,
        "comment": HOSTILE,
    }  # fmt: skip
    # Before the run has read it the task is done for Ann, and open for others.
    assert task["id"] not in {t["id"] for t in tasks_of(client, "Ann")}
    assert len(tasks_of(client, "Bob")) == 3
    assert client.get(".").json()["open"] == 2
    again = client.post("letters", json=judge(task["id"], "Ann"))
    assert again.status_code == 409
    assert "first answer stands" in again.json()["error"]


def test_the_run_reads_it(client: TestClient, run: Path) -> None:
    task = tasks_of(client, "Ann")[0]
    letter = client.post("letters", json=judge(task["id"], "Ann")).json()["letter"]
    before = client.get(".").json()
    assert before["status"] == "waiting"
    assert "2 of 3 tasks about S_2 are open" in before["waiting"]
    write(run, [Rated(judgement=Judgement(task="secret-2-0", rater="Ann", verdict="left", letter=letter))])
    mailbox = Mailbox(run)
    mailbox.put_away(next(mailbox.waiting())[0], [])
    after = client.get("changes", params={"revision": before["revision"]}).json()
    assert {1: 1, 2: 1}.items() <= {s["id"]: s["judged"] for s in after["states"]}.items()
    assert after["panel"]["comparisons"] == 1
    assert after["panel"]["raters"] == ["Ann"]
    assert client.post("letters", json=judge(task["id"], "Ann")).status_code == 409
    assert len(tasks_of(client, "Ann")) == 2
    write(run, [Closed(state=2)])
    closed = client.get(".").json()
    assert (closed["waiting"], closed["open"], closed["status"]) == (None, 0, "stopped")
    assert tasks_of(client, "Ann") == []


def test_ratings_comments_and_final_pairs(client: TestClient, run: Path) -> None:
    asked = (
        Task(id="r", kind="rating", image=names(1)[0], left="state-0001"),
        Task(id="c", kind="comment", image=names(1)[0], left="state-0001"),
    )
    final = Task(id="f", kind="pair", image="a", left="Set 14/selected", right="Set 14/start")
    for side in ("selected", "start"):
        picture(run / "images" / "Set 14" / side / "a.png", 5, side)
    write(run, [Asked(state=1, tasks=asked), Asked(state=2, purpose="final", tasks=(final,))])
    rating, comment, last = tasks_of(client, "Ann")[3:]
    assert [rating["kind"], comment["kind"], last["purpose"]] == ["rating", "comment", "final"]
    assert "1 (bad) to 5" in rating["question"]
    assert client.get(f"task/{last['id']}/right.png").status_code == 200
    assert client.get(f"task/{rating['id']}/right.png").status_code == 404
    for wrong in (
        judge(rating["id"], "Ann"),
        {**judge(rating["id"], "Ann"), "verdict": None, "rating": 6},
        {**judge(rating["id"], "Ann"), "verdict": None, "rating": 2.5},
        {**judge(rating["id"], "Ann"), "verdict": None, "rating": True},
        {**judge(comment["id"], "Ann"), "verdict": None, "comment": "  "},
        {**judge(last["id"], "Ann"), "verdict": "both"},
        judge(last["id"], "Bob"),
        judge("nothing", "Ann"),
    ):
        answer = client.post("letters", json=wrong)
        assert answer.status_code in (400, 404), wrong
        assert answer.json()["error"]
    assert letters_in(run) == []
    for right in (
        {**judge(rating["id"], "Ann"), "verdict": None, "rating": 4},
        {**judge(comment["id"], "Ann"), "verdict": None, "comment": HOSTILE},
        judge(last["id"], "Ann", verdict="tie"),
    ):
        assert client.post("letters", json=right).status_code == 200
    assert [letter.task for letter in letters_in(run)] == ["r", "c", "f"]


def test_a_picture_that_leads_out_of_the_run_is_not_shown(client: TestClient, run: Path, tmp_path: Path) -> None:
    picture(tmp_path / "outside" / "a.png", 9, "outside")
    (run / "images" / "link").symlink_to(tmp_path / "outside")
    (run / "images" / "input" / "a.png").symlink_to(tmp_path / "outside" / "a.png")
    sides = ("../../outside", "link", "input", "/etc", "a/b/c", "", ".", "state-0001/..", "\x00")
    tasks = tuple(Task(id=f"t{i}", kind="rating", image="a", left=side) for i, side in enumerate(sides))
    odd = Task(id="odd", kind="rating", image="../state-0001/" + names(1)[0], left="input")
    write(run, [Asked(state=1, tasks=(*tasks, odd))])
    shown = [t for t in tasks_of(client, "Ann") if t["kind"] == "rating"]
    assert len(shown) == len(sides) + 1
    for task in shown:
        answer = client.get(f"task/{task['id']}/left.png")
        assert answer.status_code == 404, task
        assert answer.headers["content-type"] == "application/json"


def test_a_picture_that_is_none_is_no_failure(client: TestClient, run: Path) -> None:
    for name, content in (("torn", b"\x89PNG\r\n\x1a\n\x00\x00"), ("text", b"GIF89a"), ("empty", b"")):
        (run / "images" / "input" / f"{name}.png").write_bytes(content)
        write(run, [Asked(state=1, tasks=(Task(id=name, kind="rating", image=name, left="input"),))])
    for task in tasks_of(client, "Ann")[3:]:
        assert client.get(f"task/{task['id']}/left.png").status_code == 404
    assert client.get("image/input/text.png").status_code == 404


def test_steering_by_hand(client: TestClient, run: Path) -> None:
    weights = {"l1": 1.0, "perceptual": 0.0, "gan": 0.02}
    for letter in (
        {"kind": "weights", "author": "Ann", "weights": weights},
        {"kind": "undo", "author": "Ann", "state": 1},
        {"kind": "pause", "author": "Ann"},
        {"kind": "go-on", "author": "Bob"},
        {"kind": "comment", "rater": HOSTILE[:80], "state": 2, "image": None, "text": HOSTILE},
    ):
        assert client.post("letters", json=letter).status_code == 200, letter
    assert letters_in(run)[0] == NextWeights(author="Ann", weights=weights)
    requests = client.get(".").json()["requests"]
    assert [r["text"] for r in requests] == [
        "weights l1:perceptual:gan=1:0:0.02",
        "start from S_1",
        "pause",
        "go on",
    ]
    assert all(r["pending"] for r in requests)
    write(run, [Requested(letter="a", request=Pause(author="Ann")), Closed(state=2)])
    shown = client.get(".").json()
    assert (shown["paused"], shown["status"]) == (True, "paused")
    assert {"author": "Ann", "text": "pause", "pending": False} in shown["requests"]


@pytest.mark.parametrize(
    "letter",
    [
        {"kind": "weights", "author": "Ann", "weights": {"l1": 1.0}},
        {"kind": "weights", "author": "Ann", "weights": {"l1": 1.0, "perceptual": 1.0, "gan": -1.0}},
        {"kind": "weights", "author": "Ann", "weights": {"l1": 0.0, "perceptual": 0.0, "gan": 0.0}},
        {"kind": "weights", "author": "Ann", "weights": {"l1": 1.0, "perceptual": 1.0, "gan": 1.0, "x": 1.0}},
        {"kind": "weights", "author": " ", "weights": {"l1": 1.0, "perceptual": 1.0, "gan": 1.0}},
        {"kind": "undo", "author": "Ann", "state": 99},
        {"kind": "undo", "author": "Ann", "state": -1},
        {"kind": "undo", "author": "Ann", "state": "1"},
        {"kind": "undo", "author": "Ann"},
        {"kind": "pause"},
        {"kind": "pause", "author": "Ann", "more": 1},
        {"kind": "explode", "author": "Ann"},
        {"kind": "comment", "rater": "Ann", "state": 1, "image": None, "text": "  "},
        {"kind": "comment", "rater": "Ann", "state": 1, "image": None, "text": "x" * 5000},
        {"kind": "comment", "rater": "x" * 100, "state": 1, "image": None, "text": "x"},
        [],
        "stop",
        None,
        7,
    ],
)
def test_a_letter_that_the_run_would_refuse_is_refused_at_once(client: TestClient, run: Path, letter: object) -> None:
    headers = {"Content-Type": "application/json"}
    answer = client.post("letters", content=json.dumps(letter), headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert list((run / "mailbox").iterdir()) == []


def test_a_finished_run_takes_no_requests(client: TestClient, run: Path) -> None:
    write(run, [Finished(selected=1, rule="x")])
    answer = client.post("letters", json={"kind": "pause", "author": "Ann"})
    assert answer.status_code == 400
    assert "finished" in answer.json()["error"]


@pytest.mark.parametrize("rater", ["", " ", "x" * 81])
def test_a_rater_has_a_name(client: TestClient, rater: str) -> None:
    assert client.get("tasks", params={"rater": rater}).status_code == 400


def test_many_people_at_once_while_the_run_goes_on(tmp_path: Path) -> None:
    run = make(tmp_path / "run", states=3)
    write(run, [pairs(2, count=6)])

    def rate(rater: str) -> int:
        done = 0
        with httpx.Client(base_url=f"{url}api/run/{name}/", headers=ME, timeout=60) as one:
            for task in tasks_of(one, rater):
                assert one.get(f"task/{task['id']}/left.png").status_code == 200
                answers = [one.post("letters", json=judge(task["id"], rater)) for _ in range(2)]
                assert [a.status_code for a in answers] == [200, 409], answers[0].text
                done += 1
        return done

    def follow() -> list[int]:
        seen, revision = set[int](), ""
        with httpx.Client(base_url=f"{url}api/run/{name}/", timeout=60) as one:
            for state in range(3, 8):
                write(run, stage(state, 9))
                changes = one.get("changes", params={"revision": revision}).json()
                revision = changes["revision"]
                seen |= {s["id"] for s in changes["states"]}
        return sorted(seen)

    raters = [f"rater {i} ✓" for i in range(6)]
    with background(run) as url, ThreadPoolExecutor(8) as threads:
        name = httpx.get(f"{url}api/runs").json()[0]["id"]
        following = threads.submit(follow)
        assert list(threads.map(rate, raters)) == [6] * 6
        assert following.result() == list(range(8))
    letters = letters_in(run)
    assert len(letters) == 36
    assert {(x.rater, x.task) for x in letters} == {(r, f"secret-2-{i}") for r in raters for i in range(6)}
