"""The trackers there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from lossagent.errors import UnknownName
from lossagent.tracking.base import Tracker
from lossagent.tracking.mlflow import MLflow
from lossagent.tracking.tensorboard import TensorBoard
from lossagent.tracking.wandb import WandB

TRACKERS: Mapping[str, Callable[[Path], Tracker]] = MappingProxyType(
    {"tensorboard": TensorBoard, "wandb": WandB, "mlflow": MLflow}
)
"""Name -> tracker of a run folder."""


def check_names(names: Sequence[str]) -> tuple[str, ...]:
    """The names, each once.

    Raises:
        UnknownName: one is in no table; the nearest known one is named.
    """
    for name in names:
        if name not in TRACKERS:
            raise UnknownName("tracker", name, TRACKERS)
    return tuple(dict.fromkeys(names))
