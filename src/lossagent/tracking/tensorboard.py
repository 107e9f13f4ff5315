"""TensorBoard: event files in ``tensorboard/`` of the run folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from lossagent.errors import MissingPackage
from lossagent.tracking.base import Moment, Row

if TYPE_CHECKING:
    from torch.utils.tensorboard.writer import SummaryWriter


class TensorBoard:
    """Writes a run's curves, images and decisions to ``tensorboard/`` in its folder.

    Args:
        folder: the run folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "tensorboard"
        self._writer: SummaryWriter | None = None

    def open(self, known: str | None) -> str:
        """Opens one more event file; TensorBoard reads all files of a folder as one run.

        Raises:
            MissingPackage: tensorboard is not installed.
        """
        try:
            from torch.utils.tensorboard.writer import SummaryWriter
        except ImportError as error:
            raise MissingPackage("tensorboard", "trackers", "mirroring a run to TensorBoard") from error
        self._writer = SummaryWriter(str(self.folder))
        return known or self.folder.name

    def mirror(self, moment: Moment) -> None:
        """Scalars, images, and the decision as text."""
        writer = self._writer
        assert writer is not None
        for name, value in moment.curves.items():
            writer.add_scalar(name, value, moment.step)
        for step, values in moment.losses:
            for name, value in values.items():
                writer.add_scalar(name, value, step)
        for path in moment.pictures:
            with Image.open(path) as image:
                writer.add_image(f"restored/{path.stem}", np.asarray(image), moment.step, dataformats="HWC")
        if moment.row is not None:
            writer.add_text("decision", markdown(moment.row), moment.step)
        writer.flush()

    def close(self, rows: Sequence[Row]) -> None:
        """Closes the event file."""
        del rows
        if self._writer is not None:
            self._writer.close()


def markdown(row: Row) -> str:
    """A table of two columns; foreign words keep to their cell."""
    lines = [f"| {_cell(name)} | {_cell(value)} |" for name, value in row.cells().items()]
    return "\n".join(["| | |", "|---|---|", *lines])


def _cell(value: str | int | float | None) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else "" if value is None else str(value)
    safe = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("|", "&#124;")
    return " ".join(safe.split())
