"""Trackers mirror a run, each state once, and never stop or change it."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from lossagent.errors import Damaged, MissingPackage, UnknownName
from lossagent.experiment import parse
from lossagent.runs import read_trajectory
from lossagent.session import Session, Watch
from lossagent.tracking import Moment, Row, Tracker, check_names, table, tracked
from lossagent.tracking.ledger import Entry, Ledger
from lossagent.tracking.mlflow import MLflow
from lossagent.tracking.tensorboard import TensorBoard
from lossagent.tracking.wandb import WandB
from lossagent.trajectory import Trajectory
from tiny import experiment


class Fake:
    """A tracker that keeps what it is told, or fails where it is asked to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.known: list[str | None] = []
        self.told: list[Moment] = []
        self.rows: list[tuple[Row, ...]] = []
        self.threads: set[int] = set()
        self.fail: Callable[[str, Moment | None], None] = lambda what, moment: None

    def open(self, known: str | None) -> str:
        self.known.append(known)
        self.fail("open", None)
        return known or "key"

    def mirror(self, moment: Moment) -> None:
        self.threads.add(threading.get_ident())
        self.fail("mirror", moment)
        self.told.append(moment)

    def close(self, rows: Sequence[Row]) -> None:
        self.fail("close", None)
        self.rows.append(tuple(rows))


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    one = Fake(Path())
    monkeypatch.setattr("lossagent.tracking.watching.TRACKERS", {**table.TRACKERS, "tensorboard": lambda folder: one})
    return one


def carry_out(tmp_path: Path, names: Sequence[str], deadline: float = 60.0) -> tuple[Path, list[str]]:
    folder, said = tmp_path / "run", list[str]()
    with tracked(Watch(phase=said.append), folder, names, deadline) as watch:
        Session.start(parse(experiment(tmp_path, agent={"kind": "fixed"})), folder, watch).run()
    assert read_trajectory(folder).finished is not None
    return folder, [text for text in said if "tracker" in text]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was carried out without a tracker."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOSSAGENT_HOME", str(tmp_path_factory.mktemp("home")))
        return carry_out(tmp_path_factory.mktemp("finished"), [])[0]


def retold(finished: Path, tmp_path: Path, names: Sequence[str], deadline: float = 60.0) -> tuple[Path, list[str]]:
    """Tells trackers of a run as if it were going on; the folder, and what was said of trackers."""
    folder, said = tmp_path / "run", list[str]()
    shutil.copytree(finished, folder)
    with tracked(Watch(phase=said.append), folder, names, deadline) as watch:
        for states in (1, 2, 3, 4):
            watch.event(part(folder, states))
    return folder, said


def part(folder: Path, states: int) -> Trajectory:
    """The run as it was when its first states were scored."""
    from lossagent.events import EVENTS

    events = [EVENTS.validate_json(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    last = max(i for i, e in enumerate(events) if e.kind == "scored" and e.state < states)
    return Trajectory.fold(events[: last + 1])


@pytest.mark.usefixtures("no_assets")
def test_every_state_is_told_once_with_all_that_belongs_to_it(tmp_path: Path, fake: Fake) -> None:
    folder, said = carry_out(tmp_path, ["tensorboard", "tensorboard"])
    assert said == []
    assert isinstance(fake, Tracker)
    assert [(m.state, m.step) for m in fake.told] == [(0, 3), (1, 9), (2, 15), (3, 21)]
    assert fake.threads
    assert threading.get_ident() not in fake.threads
    last = fake.told[-1]
    assert {"score/psnr_y", "weight/gan", "gradient share/gan"} <= last.curves.keys()
    assert [step for step, _ in last.losses] == list(range(15, 21))
    assert all("loss/l1" in values for _, values in last.losses)
    assert [p.parent.name for p in last.pictures] == ["state-0003"] * 2
    assert last.row is not None
    assert (last.row.state, last.row.author, last.row.weights["gan"]) == (3, "fixed", 0.1)
    assert [[row.state for row in rows] for rows in fake.rows] == [[1, 2, 3]]
    assert json.loads((folder / "trackers.json").read_text()) == {"tensorboard": {"key": "key", "mirrored": 3}}


def test_a_later_process_goes_on_and_tells_nothing_twice(tmp_path: Path, finished: Path, fake: Fake) -> None:
    folder, _ = retold(finished, tmp_path, [])
    for states in (2, 2, 3, 4):
        with tracked(Watch(), folder, ["tensorboard"]) as watch:
            watch.event(part(folder, states))
    assert fake.known == [None, "key", "key", "key"]
    assert [m.state for m in fake.told] == [0, 1, 2, 3]
    assert [len(m.losses) for m in fake.told] == [3, 6, 6, 6]
    assert [len(rows) for rows in fake.rows] == [1, 1, 2, 3]


@pytest.mark.parametrize("where", ["open", "mirror", "close"])
@pytest.mark.parametrize("error", [OSError("no space left on device"), SystemExit(3), MissingPackage("x", "y", "z")])
def test_a_failing_tracker_is_said_once_and_the_run_goes_on(
    tmp_path: Path, finished: Path, fake: Fake, where: str, error: BaseException
) -> None:
    def fail(what: str, moment: Moment | None) -> None:
        if what == where and (moment is None or moment.state == 1):
            raise error

    fake.fail = fail
    _, said = retold(finished, tmp_path, ["tensorboard"])
    assert len(said) == 1
    assert said[0].startswith("WARNING: the tracker tensorboard has stopped: " + type(error).__name__)
    assert str(error) in said[0]


@pytest.mark.parametrize("where", ["open", "mirror", "close"])
def test_a_hanging_tracker_is_given_up(tmp_path: Path, finished: Path, fake: Fake, where: str) -> None:
    release = threading.Event()

    def hang(what: str, moment: Moment | None) -> None:
        del moment
        if what == where:
            release.wait(60)

    fake.fail = hang
    _, said = retold(finished, tmp_path, ["tensorboard"], deadline=0.2)
    assert said == ["WARNING: the tracker tensorboard has stopped: it has not answered for 0.2 s. The run goes on."]
    told = len(fake.told)
    release.set()  # what comes late is not gone on with
    for thread in threading.enumerate():
        if thread.name == "tracker-tensorboard":
            thread.join(10)
    assert len(fake.told) <= told + 1


@pytest.mark.usefixtures("no_assets")
def test_a_run_is_the_same_with_a_failing_tracker_and_without(tmp_path: Path, finished: Path, fake: Fake) -> None:
    def fail(what: str, moment: Moment | None) -> None:
        if moment is not None and moment.state == 2:
            raise OSError(what)

    fake.fail = fail
    other, said = carry_out(tmp_path, ["tensorboard"])
    assert len(said) == 1
    first, second = (read_trajectory(run) for run in (finished, other))
    assert [s.feedback for s in first.states] == [s.feedback for s in second.states]
    assert [s.report.checkpoint for s in first.states if s.report] == [
        s.report.checkpoint for s in second.states if s.report
    ]


def test_a_ledger_that_is_none_is_a_failure_of_the_mirror(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "trackers.json")
    ledger.put("wandb", Entry(key="k", mirrored=4))
    ledger.put("mlflow", Entry(key="m"))
    assert ledger.get("wandb") == Entry(key="k", mirrored=4)
    assert ledger.get("tensorboard") is None
    (tmp_path / "trackers.json").write_text("[")
    with pytest.raises(Damaged, match="delete it"):
        ledger.get("wandb")


def test_names() -> None:
    guide = (Path(__file__).resolve().parents[1] / "docs" / "trackers.md").read_text(encoding="utf-8")
    assert all(f"| `{name}` |" in guide for name in table.TRACKERS)
    assert check_names(["wandb", "mlflow", "wandb"]) == ("wandb", "mlflow")
    with pytest.raises(UnknownName, match="Did you mean 'tensorboard'"):
        check_names(["tensorbord"])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tensorboard(tmp_path: Path, finished: Path) -> None:
    pytest.importorskip("tensorboard", reason="tensorboard is not installed (extra: trackers)")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder, said = retold(finished, tmp_path, ["tensorboard"])
    assert said == []
    mirror = EventAccumulator(str(folder / "tensorboard"))
    mirror.Reload()
    tags = mirror.Tags()
    assert {"score/psnr_y", "weight/gan", "loss/l1", "gradient share/gan"} <= set(tags["scalars"])
    assert tags["images"]
    assert "decision/text_summary" in tags["tensors"]
    assert [e.step for e in mirror.Scalars("score/psnr_y")] == [3, 9, 15, 21]


def hostile(tmp_path: Path, state: int = 1) -> Moment:
    from PIL import Image

    picture = tmp_path / "a b&c.png"
    Image.new("RGB", (8, 8)).save(picture)
    row = Row(state, 0, "llm", {"l1": 1.0, "gan": 0.0}, {"pyiqa:x": None}, ("bounds",), "<script>|\n# x</script>")
    losses = ((1, {"loss/l1": 0.5}), (2, {"loss/l1": 0.4}))
    return Moment(state, 2 * state, {"score/pyiqa:x": 1.0, "weight/gan": 0.0}, losses, (picture,), row)


def test_foreign_words_keep_to_their_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lossagent.tracking.tensorboard import markdown

    row = hostile(tmp_path).row
    assert row is not None
    text = markdown(row)
    assert "<script>" not in text
    assert all(line.count("|") == 3 for line in text.splitlines())


@pytest.mark.parametrize(("made", "package"), [(TensorBoard, "tensorboard"), (WandB, "wandb"), (MLflow, "mlflow")])
def test_a_missing_package_is_named_with_what_to_install(
    tmp_path: Path, made: Callable[[Path], Tracker], package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    for name in [n for n in sys.modules if n.split(".")[0] == package or n.startswith("torch.utils.tensorboard")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingPackage, match=r"pip install 'lossagent\[trackers\]'"):
        made(tmp_path).open(None)


@pytest.mark.slow  # its database is made anew: ten seconds
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tracking = pytest.importorskip("mlflow.tracking", reason="mlflow is not installed (extra: trackers)")
    pytest.importorskip("sqlalchemy", reason="sqlalchemy is not installed (extra: trackers)")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    first = MLflow(tmp_path)
    key = first.open(None)
    first.mirror(hostile(tmp_path))
    first.close([hostile(tmp_path).row])
    again = MLflow(tmp_path)
    assert again.open(key) == key
    again.mirror(hostile(tmp_path, 2))
    rows = [hostile(tmp_path).row, hostile(tmp_path, 2).row]
    again.close(rows)
    client = tracking.MlflowClient(tracking_uri=f"sqlite:///{tmp_path}/mlflow/mlflow.db")
    run = client.get_run(key)
    assert run.info.status == "FINISHED"
    history = client.get_metric_history(key, "score/pyiqa_x")
    assert [m.step for m in history] == [2, 4]
    table = json.loads(Path(client.download_artifacts(key, "decisions.json", str(tmp_path))).read_text())
    assert [row[0] for row in table["data"]] == [1, 2]
    assert {a.path for a in client.list_artifacts(key)} >= {"decisions", "decisions.json", "images"}


def test_wandb_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb", reason="wandb is not installed (extra: trackers)")
    monkeypatch.setenv("WANDB_MODE", "offline")
    (tmp_path / "events.jsonl").write_text("{}\n")
    for known, state in ((None, 1), ("83d0ec4c3f3ea6b8", 2)):
        tracker = WandB(tmp_path)
        key = tracker.open(known)
        tracker.mirror(hostile(tmp_path, state))
        tracker.close([hostile(tmp_path).row])
        assert known in (None, key)
    kept = sorted(p.name for p in (tmp_path / "wandb").glob("offline-run-*"))
    assert len(kept) == 2
    assert all(list((tmp_path / "wandb" / name).glob("run-*.wandb")) for name in kept)


def test_nobody_is_asked_for_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lossagent.tracking import wandb

    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    for name in ("WANDB_MODE", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    assert wandb.mode() == "offline"
    (tmp_path / ".netrc").write_text("machine api.wandb.ai login user password x")
    assert wandb.mode() is None
    (tmp_path / ".netrc").unlink()
    monkeypatch.setenv("WANDB_MODE", "online")
    assert wandb.mode() is None
