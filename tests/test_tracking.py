"""TensorBoard mirrors a run and never stops it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lossagent.experiment import parse
from lossagent.session import Session, Watch
from lossagent.tracking import TensorBoard, tracked
from tiny import experiment

pytest.importorskip("tensorboard", reason="tensorboard is not installed (extra: trackers)")


@pytest.mark.usefixtures("no_assets")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_curves_and_images_of_every_state_are_mirrored(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder = tmp_path / "run"
    data = experiment(tmp_path, agent={"kind": "fixed"})
    Session.start(parse(data), folder, tracked(Watch(), folder)).run()
    mirror = EventAccumulator(str(folder / "tensorboard"))
    mirror.Reload()
    tags = mirror.Tags()
    assert {"score/psnr_y", "weight/gan", "loss/l1", "gradient share/gan"} <= set(tags["scalars"])
    assert tags["images"]
    assert [e.step for e in mirror.Scalars("score/psnr_y")] == [3, 9, 15, 21]


@pytest.mark.usefixtures("no_assets")
def test_a_failing_tracker_is_said_once_and_the_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: TensorBoard, trajectory: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(TensorBoard, "__call__", broken)
    said: list[str] = []
    folder = tmp_path / "run"
    session = Session.start(
        parse(experiment(tmp_path, agent={"kind": "fixed"})), folder, tracked(Watch(phase=said.append), folder)
    )
    session.run()
    assert session.steering.trajectory.finished is not None
    assert sum("TensorBoard stopped" in text for text in said) == 1
