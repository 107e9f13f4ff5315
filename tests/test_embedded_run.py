"""The embedded model drives runs: in process, over HTTP, and through a kill."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from lossagent.assets import locate
from lossagent.chat import Embedded
from lossagent.errors import MissingAsset
from lossagent.experiment import parse
from lossagent.runs import canonical, read_exchanges, read_trajectory
from lossagent.session import Session
from test_resume import DRIVER
from tiny import experiment

pytest.importorskip("xllamacpp", reason="the embedded engine is not installed (extra: llm)")
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_assets")]


@pytest.fixture(scope="module")
def model() -> str:
    try:
        return str(locate("smollm2-135m-instruct"))
    except MissingAsset as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def url(model: str) -> Iterator[str]:
    engine = Embedded(model, repeatable=True)
    engine.serve()
    yield engine.url
    engine.close()


def steered(root: Path, chat: dict[str, object], answer: str = "moves") -> dict[str, object]:
    return experiment(
        root,
        agent={"kind": "llm", "rollback": True, "answer": answer, "retries": 2, "max_tokens": 160},
        chat=chat,
    )


@pytest.mark.parametrize("answer", ["moves", "json", "pattern"])
def test_every_answer_is_valid_or_its_fallback_is_recorded(tmp_path: Path, model: str, answer: str) -> None:
    session = Session.start(parse(steered(tmp_path, {"kind": "embedded", "model": model}, answer)), tmp_path / "run")
    session.run()
    decisions = [s.decision for s in session.steering.trajectory.states[2:] if s.decision is not None]
    assert len(decisions) == 2
    assert all(d.asked > d.failed or "fallback" in d.adjusted_by for d in decisions)


def test_its_own_server_drives_a_run(tmp_path: Path, url: str) -> None:
    chat = {"kind": "server", "base_url": url, "model": "smollm2", "key_env": None, "answer_mode": "grammar"}
    session = Session.start(parse(steered(tmp_path, chat)), tmp_path / "run")
    session.run()
    exchanges = [e for s in session.steering.trajectory.states for e in read_exchanges(tmp_path / "run", s.id)]
    assert any(e.problem is None and e.weights is not None for e in exchanges)


def test_killed_after_an_answer_and_in_training_it_ends_the_same(tmp_path: Path, model: str) -> None:
    data = steered(tmp_path, {"kind": "embedded", "model": model, "repeatable": True, "threads": 1})
    (tmp_path / "experiment.yaml").write_text(yaml.safe_dump(data, sort_keys=False))
    (tmp_path / "driver.py").write_text(DRIVER)

    def drive(name: str, moment: str, count: int = 0) -> int:
        command = [sys.executable, str(tmp_path / "driver.py"), str(tmp_path / name), str(tmp_path / "experiment.yaml")]
        done = subprocess.run([*command, moment, str(count)], capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode in (0, -9), done.stderr
        return done.returncode

    assert drive("whole", "never") == 0
    for moment, count in [("training", 7), ("scoring", 2), ("decided", 0), ("checkpoint", 1)]:
        assert drive("killed", moment, count) == -9, moment
    assert drive("killed", "never") == 0
    runs = [[canonical(s) for s in read_trajectory(tmp_path / name).states] for name in ("whole", "killed")]
    assert runs[0] == runs[1]
