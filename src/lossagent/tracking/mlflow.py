"""MLflow: a database and files in ``mlflow/`` of the run folder, or the server that ``MLFLOW_TRACKING_URI`` names."""

from __future__ import annotations

import importlib
import logging
import os
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from lossagent.errors import MissingPackage
from lossagent.tracking.base import Moment, Row

AT_ONCE = 900
"""Numbers of one request; MLflow takes at most 1,000."""
EXPERIMENT = "lossagent"
TABLE = "decisions.json"
DATABASE = ("sqlalchemy", "alembic")
"""What a local database needs; a server has its own."""


class MLflow:
    """Logs a run's curves, images and decisions.

    Args:
        folder: the run folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._client: Any = None
        self._metric: Any = None
        self._run = ""

    def open(self, known: str | None) -> str:
        """Begins a run, or goes on with the one of that id.

        Raises:
            MissingPackage: mlflow, or what its database needs, is not installed.
        """
        address = os.environ.get("MLFLOW_TRACKING_URI")
        try:
            client = importlib.import_module("mlflow.tracking").MlflowClient
            self._metric = importlib.import_module("mlflow.entities").Metric
            for name in DATABASE if address is None else ():
                importlib.import_module(name)
        except ImportError as error:
            raise MissingPackage(error.name or "mlflow", "trackers", "mirroring a run to MLflow") from error
        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.WARNING)
        own = (self.folder / "mlflow").resolve()
        if address is None:
            own.mkdir(exist_ok=True)
        self._client = client(tracking_uri=address or f"sqlite:///{own / 'mlflow.db'}")
        if known is not None:
            self._client.update_run(known, status="RUNNING")
            self._run = known
            return known
        found = self._client.get_experiment_by_name(EXPERIMENT)
        files = own.joinpath("files").as_uri() if address is None else None
        experiment = found.experiment_id if found is not None else self._client.create_experiment(EXPERIMENT, files)
        self._run = str(self._client.create_run(experiment, run_name=self.folder.resolve().name).info.run_id)
        return self._run

    def mirror(self, moment: Moment) -> None:
        """Metrics in few requests, images by step, and the decision as a small file."""
        numbers = list(self._numbers(moment))
        for first in range(0, len(numbers), AT_ONCE):
            self._client.log_batch(self._run, metrics=numbers[first : first + AT_ONCE])
        for path in moment.pictures:
            with Image.open(path) as image:
                self._client.log_image(self._run, image.convert("RGB"), key=_name(path.stem), step=moment.step)
        if moment.row is not None:
            self._client.log_dict(self._run, moment.row.cells(), f"decisions/state-{moment.state:04d}.json")

    def close(self, rows: Sequence[Row]) -> None:
        """All decisions as a table, and the end of the run."""
        if self._client is None:
            return
        cells = [row.cells() for row in rows]
        columns = list(dict.fromkeys(column for one in cells for column in one))
        data = [[one.get(column) for column in columns] for one in cells]
        self._client.log_dict(self._run, {"columns": columns, "data": data}, TABLE)
        self._client.set_terminated(self._run)

    def _numbers(self, moment: Moment) -> Iterator[Any]:
        now = int(time.time() * 1000)
        for step, values in (*moment.losses, (moment.step, moment.curves)):
            for name, value in values.items():
                yield self._metric(_name(name), value, now, step)


def _name(text: str) -> str:
    """A name as MLflow allows it."""
    return re.sub(r"[^\w\-. /]", "_", text)
