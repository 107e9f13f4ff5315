"""Weights & Biases: a run of its own, in ``wandb/`` of the run folder where it is offline."""

from __future__ import annotations

import hashlib
import importlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lossagent.errors import MissingPackage
from lossagent.tracking.base import Moment, Row

KEY_FILES = (".netrc", "_netrc")
INIT_SECONDS = 30.0


class WandB:
    """Logs a run's curves, images and decisions.

    ``WANDB_MODE``, ``WANDB_PROJECT``, ``WANDB_ENTITY`` and the package's other variables hold. Without a mode and
    without a key it is offline: nobody is asked for one. Standard output is not captured, no code is stored.

    Args:
        folder: the run folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._wandb: Any = None
        self._run: Any = None

    def open(self, known: str | None) -> str:
        """Begins a run, or goes on with the one of that id.

        Raises:
            MissingPackage: wandb is not installed.
        """
        try:
            self._wandb = wandb = importlib.import_module("wandb")
        except ImportError as error:
            raise MissingPackage("wandb", "trackers", "mirroring a run to Weights & Biases") from error
        identity = known or new_id(self.folder)
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "lossagent"),
            id=identity,
            name=self.folder.resolve().name,
            dir=str(self.folder),
            resume="allow",
            reinit="create_new",
            mode=mode(),
            settings=wandb.Settings(
                silent=True,
                console="off",
                init_timeout=INIT_SECONDS,
                disable_git=True,
                disable_code=True,
                save_code=False,
                x_disable_stats=True,
            ),
        )
        return identity

    def mirror(self, moment: Moment) -> None:
        """Losses at their own iterations, then everything else at the state's."""
        for step, values in moment.losses:
            if step < moment.step and values:
                self._run.log(values, step=step)
        last = {name: value for step, values in moment.losses if step >= moment.step for name, value in values.items()}
        pictures = [self._wandb.Image(str(path), caption=path.stem) for path in moment.pictures]
        shown = {"restored": pictures} if pictures else {}
        self._run.log({**last, **moment.curves, **shown, "state": moment.state}, step=moment.step)

    def close(self, rows: Sequence[Row]) -> None:
        """The decisions as a table, then the end of this process's part."""
        if self._run is None:
            return
        cells = [row.cells() for row in rows]
        columns = list(dict.fromkeys(column for one in cells for column in one))
        if columns:
            data = [[one.get(column) for column in columns] for one in cells]
            self._run.log({"decisions": self._wandb.Table(columns=columns, data=data, allow_mixed_types=True)})
        self._run.finish()


def mode() -> str | None:
    """``None`` leaves it to ``WANDB_MODE`` or to the package; ``"offline"`` where there is neither a mode nor a key."""
    if os.environ.get("WANDB_MODE") or os.environ.get("WANDB_API_KEY"):
        return None
    return None if any("wandb" in _text(Path.home() / name) for name in KEY_FILES) else "offline"


def new_id(folder: Path) -> str:
    """An id from the run's own first event, so that a copy of a folder is the same run and another run is not."""
    log = folder / "events.jsonl"
    with log.open("rb") as file:
        return hashlib.sha256(file.readline()).hexdigest()[:16]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
