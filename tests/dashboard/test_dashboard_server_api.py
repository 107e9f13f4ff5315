"""What the dashboard's server says of a run."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from served_run import HOSTILE, LOSSES, make, names
from starlette.testclient import TestClient

from lossagent.dashboard.app import application
from lossagent.errors import Refused
from lossagent.noise import paired_change
from lossagent.runs import read_trajectory


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("runs") / "mine")


@pytest.fixture
def client(run: Path) -> Iterator[TestClient]:
    with TestClient(application(run), base_url="http://127.0.0.1:1") as made:
        yield made


def ask(client: TestClient, path: str) -> dict:
    answer = client.get(f"/api/run/{client.get('/api/runs').json()[0]['id']}{path}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    return answer.json()


def test_a_run_is_listed(client: TestClient) -> None:
    (one,) = client.get("/api/runs").json()
    wanted = {"name": "a small run", "folder": "mine", "agent": "llm with rollback", "status": "stopped", "open": 0}
    assert wanted.items() <= one.items()
    assert (one["scored"], one["stages"], one["selected"], one["problem"]) == (3, 8, None, None)


def test_runs_below_a_folder_are_found_and_keep_their_ids(tmp_path: Path) -> None:
    for name in ("a", "deep/er/b", "a/images-of-mine", ".hidden"):
        if name != "a/images-of-mine":
            make(tmp_path / name, states=1, images=1, pictures=0)
    (tmp_path / "link").symlink_to(tmp_path / "a")
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "experiment.yaml").write_text("name: begun")
    with TestClient(application(tmp_path), base_url="http://localhost") as client:
        runs = {r["folder"]: r for r in client.get("/api/runs").json()}
        assert set(runs) == {"a", "deep/er/b", "begun"}
        assert runs["begun"]["problem"] is not None
        answer = client.get(f"/api/run/{runs['begun']['id']}")
        assert answer.status_code == 400
        assert "has not started" in answer.json()["error"] or "cannot be shown" in answer.json()["error"]
    with TestClient(application(tmp_path), base_url="http://localhost") as again:
        assert {r["id"] for r in again.get("/api/runs").json()} == {r["id"] for r in runs.values()}


def test_no_such_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="is no folder"):
        application(tmp_path / "nowhere")


def test_the_whole_run(client: TestClient, run: Path) -> None:
    shown = ask(client, "")
    assert shown["losses"] == list(LOSSES)
    assert shown["anchor"] == "l1"
    assert shown["initial"] == {"l1": 1.0, "perceptual": 0.1, "gan": 0.01}
    assert shown["bounds"]["low"] == 0.001
    assert shown["bounds"]["frozen"] == ["l1"]
    assert shown["goal"]["wish"] == "no plastic skin"
    assert {m: f["role"] for m, f in shown["metrics"].items()} == {
        "niqe": "target",
        "psnr": "constraint",
        "lattice": "guard",
    }
    assert shown["metrics"]["niqe"]["direction"] == "lower"
    assert shown["metrics"]["psnr"]["implementation"] == "lossagent"
    assert shown["metrics"]["lattice"]["direction"] is None
    assert (shown["head"], shown["selected"], shown["stages"]) == (3, None, 8)
    assert shown["images"] == sorted(names(9))
    assert shown["references"]
    assert shown["warnings"] == ["something to know"]
    assert [s["id"] for s in shown["states"]] == [0, 1, 2, 3]


def test_scores_and_intervals_are_those_of_the_run(client: TestClient, run: Path) -> None:
    states, trajectory = ask(client, "")["states"], read_trajectory(run)
    assert states[0]["weights"] is None
    assert states[0]["noise"] == {}
    for shown in states[1:]:
        child, parent = trajectory.states[shown["id"]].feedback, trajectory.states[shown["parent"]].feedback
        assert child is not None
        assert parent is not None
        for metric in ("niqe", "psnr", "lattice"):
            assert shown["scores"][metric] == pytest.approx(child.mean(metric))
            change = paired_change(child, parent, metric, {"niqe": 0.1}.get(metric), seed=3)
            assert shown["noise"][metric] == pytest.approx([change.low, change.high], abs=1e-12)
            assert shown["change"][metric] == pytest.approx(change.mean)
            assert shown["beyond"][metric] == change.exceeds
        assert shown["off"] == ["gan"]
        assert shown["weights"]["gan"] == 0.0
        assert sum(shown["shares"].values()) == pytest.approx(1.0)
        assert shown["raw"]["gan"] == 1.0
        assert shown["thoughts"] == (HOSTILE * 10)[:300]


def test_a_decision_with_its_exchanges_and_table(client: TestClient) -> None:
    decision = ask(client, "/decision/2")
    assert decision["author"] == "llm"
    assert decision["judged"] == 2
    assert decision["thoughts"] == HOSTILE * 10
    (exchange,) = decision["exchanges"]
    assert exchange["raw"] == HOSTILE
    assert exchange["tokens"] == 7
    assert exchange["messages"] == [{"role": "user", "content": HOSTILE, "images": ["a.png (ff)"]}]
    assert decision["remarks"] == [{"author": "reviewer", "image": None, "text": HOSTILE}]
    assert len(decision["what_if"]) == 3 * 4
    assert decision["before"]["state"] == 1
    assert decision["scores"]["lattice"][names(1)[0]] is None
    assert client.get(f"/api/run/{ask(client, '')['id']}/decision/0").status_code == 404
    assert client.get(f"/api/run/{ask(client, '')['id']}/decision/99").status_code == 404
    assert client.get(f"/api/run/{ask(client, '')['id']}/decision/-1").status_code == 400


def test_a_state_from_near(client: TestClient) -> None:
    near = ask(client, "/state/0")
    assert near["remarks"][0]["text"] == HOSTILE
    table = ask(client, "/what-if/3")
    gan = [row for row in table["what_if"] if row["loss"] == "gan"]
    assert [row["weights"]["gan"] for row in gan] == pytest.approx([0.0025, 0.005, 0.02, 0.04])


def test_losses_are_thinned(client: TestClient) -> None:
    one = ask(client, "/losses?state=2&points=10")
    assert one["state"] == [2] * 10
    assert one["iteration"] == sorted(one["iteration"])
    assert one["raw"]["l1"] == pytest.approx([0.2] * 10)
    assert one["raw"]["gan"] == [None] * 10
    whole = ask(client, "/losses")
    assert whole["state"] == [1] * 50 + [2] * 50 + [3] * 50
    assert ask(client, "/losses?state=77")["iteration"] == []


def test_pareto(client: TestClient) -> None:
    shown = ask(client, "/pareto")
    assert (shown["x"], shown["y"]) == ("niqe", "psnr")
    points = shown["points"]
    for point in points:
        beaten = any(
            o["x"] <= point["x"] and o["y"] >= point["y"] and (o["x"], o["y"]) != (point["x"], point["y"])
            for o in points
        )
        assert point["front"] == (not beaten)
    name = ask(client, "")["id"]
    assert "not recorded" in client.get(f"/api/run/{name}/pareto?x=niqe&y=lattice").json()["error"]
    assert "no metric" in client.get(f"/api/run/{name}/pareto?x=niqe&y=what").json()["error"]


def test_pictures(client: TestClient, run: Path) -> None:
    name = ask(client, "")["id"]
    address = f"/api/run/{name}/image/state-0001/{names(1)[0]}.png"
    answer = client.get(address)
    assert answer.content == (run / "images" / "state-0001" / f"{names(1)[0]}.png").read_bytes()
    assert answer.headers["content-type"] == "image/png"
    assert client.get(address, headers={"if-none-match": answer.headers["etag"]}).status_code == 304
    assert client.get(f"/api/run/{name}/image/state-0001/none.png").status_code == 404


def test_numbers_that_json_lacks_are_null(client: TestClient) -> None:
    def no(word: str) -> float:
        raise AssertionError(word)

    name = ask(client, "")["id"]
    for path in ("", "/decision/1", "/state/1", "/losses", "/pareto"):
        json.loads(client.get(f"/api/run/{name}{path}").text, parse_constant=no)
    assert math.isfinite(ask(client, "")["states"][0]["scores"]["lattice"])


def test_the_pages_of_the_package_are_served(client: TestClient) -> None:
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static/nothing.js", "/static/", "/api/nothing"):
        answer = client.get(path)
        assert answer.status_code == 404, path
        assert answer.json()["error"]
