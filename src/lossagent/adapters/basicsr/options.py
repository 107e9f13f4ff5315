"""What the hook reads from a trainer's own configuration: mappings in BasicSR and neosr, objects in traiNNer-redux."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from lossagent.errors import Refused


def option(model: object, *keys: str) -> Any:  # noqa: ANN401  (whatever stands there)
    """An entry of the model's ``opt``; ``None`` where there is none."""
    found: Any = getattr(model, "opt", None)
    for key in keys:
        found = cast("Mapping[str, Any]", found).get(key) if isinstance(found, Mapping) else getattr(found, key, None)
    return found


def stage_length(model: object, every: int | None) -> int:
    """Iterations of a stage: a multiple of the trainer's ``val_freq``, which is the default.

    Raises:
        Refused: it is none, or neither of the two is known.
    """
    between = option(model, "val", "val_freq")
    between = int(between) if isinstance(between, int | float) and between >= 1 else None
    if every is None and between is None:
        raise Refused("every must be the iterations of a stage: the trainer's configuration has no val: val_freq.")
    length = between if every is None else every
    assert length is not None
    if length < 1 or (between is not None and length % between):
        raise Refused(
            f"every must be at least 1 and a multiple of the trainer's val_freq ({between}), since a stage ends with a "
            f"validation; found {length}."
        )
    return length


def data_set_of(loader: object, number: int) -> str:
    """The name of a loader's data set in the configuration."""
    opt = getattr(getattr(loader, "dataset", None), "opt", None)
    found = cast("Mapping[str, Any]", opt).get("name") if isinstance(opt, Mapping) else getattr(opt, "name", None)
    return str(found) if found else str(number)
