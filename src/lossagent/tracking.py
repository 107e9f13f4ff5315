"""TensorBoard as a mirror of a run: the run folder stays the truth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from lossagent.errors import MissingPackage
from lossagent.records import State
from lossagent.runs import read_lines, read_trajectory
from lossagent.session import Watch
from lossagent.trajectory import Trajectory

if TYPE_CHECKING:
    from torch.utils.tensorboard.writer import SummaryWriter


class TensorBoard:
    """Writes a run's curves and images to ``tensorboard/`` in its folder.

    Args:
        folder: the run folder.

    Raises:
        MissingPackage: tensorboard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard.writer import SummaryWriter
        except ImportError as error:
            raise MissingPackage("tensorboard", "trackers", "mirroring a run to TensorBoard") from error
        self.folder = folder
        self._open = lambda: SummaryWriter(str(folder / "tensorboard"))
        self._writer: SummaryWriter | None = None
        # A resumed run does not mirror again what an earlier process did.
        mirrored = read_trajectory(folder).scored if (folder / "tensorboard").exists() else ()
        self._done = mirrored[-1].id if mirrored else -1

    def __call__(self, trajectory: Trajectory) -> None:
        """Mirrors the states that were scored since the last call."""
        new = [s for s in trajectory.scored if s.id > self._done]
        if not new:
            return
        self._writer = self._writer or self._open()
        spent = 0
        for state in trajectory.states:
            spent += state.report.iterations if state.report is not None else 0
            if state in new:
                self._mirror(self._writer, trajectory, state, spent)
        self._done = new[-1].id
        self._writer.flush()

    def _mirror(self, writer: SummaryWriter, trajectory: Trajectory, state: State, spent: int) -> None:
        feedback, report = state.feedback, state.report
        assert feedback is not None
        assert report is not None
        for metric, value in feedback.means().items():
            if value is not None:
                writer.add_scalar(f"score/{metric}", value, spent)
        for name, value in trajectory.weights_at(state.id).values().items():
            writer.add_scalar(f"weight/{name}", value, spent)
        for name, value in report.evidence.shares(trajectory.weights_at(state.id)).items():
            writer.add_scalar(f"gradient share/{name}", value, spent)
        lines, _ = read_lines(self.folder / "losses.jsonl")
        for record in (r for r in map(json.loads, lines) if r["state"] == state.id):
            step = spent - report.iterations + record["iteration"]
            for name, value in record["raw"].items():
                if value is not None:
                    writer.add_scalar(f"loss/{name}", value, step)
        for path in sorted((self.folder / "images" / state.name).glob("*.png"))[:4]:
            with Image.open(path) as image:
                writer.add_image(f"restored/{path.stem}", np.asarray(image), spent, dataformats="HWC")


def tracked(watch: Watch, folder: Path) -> Watch:
    """A watch that also mirrors to TensorBoard; a failure there is said once and never stops the run."""
    board = TensorBoard(folder)
    broken = False

    def event(trajectory: Trajectory) -> None:
        nonlocal broken
        watch.event(trajectory)
        if broken:
            return
        try:
            board(trajectory)
        except (OSError, ValueError, RuntimeError) as error:
            broken = True
            watch.phase(f"TensorBoard stopped: {error}. The run goes on.")

    return Watch(iteration=watch.iteration, event=event, phase=watch.phase)
