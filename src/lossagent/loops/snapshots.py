"""Checkpoints of anything with a ``state_dict``, so that a loop of your own can go back to an earlier state."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

import torch
from torch import Tensor

from lossagent.errors import DoesNotFit, Refused
from lossagent.records import State
from lossagent.training import checkpoints

PLAIN = (str, int, float, bool, type(None))


@runtime_checkable
class Stateful(Protocol):
    """A network, an optimizer, a scheduler, a scaler, ..."""

    def state_dict(self) -> Any:  # noqa: ANN401  (each its own)
        """What it is, as nested data."""
        ...

    def load_state_dict(self, state_dict: Any) -> Any:  # noqa: ANN401
        """Becomes what it was."""
        ...


class Snapshots:
    """A checkpoint of each state, safetensors and JSON, verified on load.

    ::

        snapshots = Snapshots("runs/mine/checkpoints", net=net, optimizer=optimizer)

    Torch's generator on the CPU, and those of its accelerators, are saved too.

    Args:
        folder: where they go.
        parts: name -> what is saved; whatever else the loop needs to go on exactly (its data order) is its own.

    Raises:
        Refused: nothing to save, or a part that has no ``state_dict``.
    """

    def __init__(self, folder: Path | str, **parts: Stateful) -> None:
        if not parts:
            raise Refused("name what is saved, e.g. Snapshots(folder, net=net, optimizer=optimizer).")
        if wrong := [name for name, part in parts.items() if not hasattr(part, "load_state_dict")]:
            raise Refused(f"parts of a snapshot need state_dict and load_state_dict; {', '.join(wrong)} have none.")
        self.folder, self.parts = Path(folder), parts

    def save(self, state: int) -> None:
        """Saves all parts as a state.

        Raises:
            Refused: a part holds what is neither tensors nor plain data.
            Failed: the disk is full or not writable.
        """
        tensors: dict[str, Tensor] = {"rng": torch.get_rng_state()}
        if torch.cuda.is_available():
            tensors |= {f"rng.cuda{i}": s for i, s in enumerate(torch.cuda.get_rng_state_all())}
        plain = {name: _packed(part.state_dict(), name, tensors) for name, part in self.parts.items()}
        checkpoints.save(self._place(state), {"tensors": tensors}, plain)

    def load(self, state: int) -> None:
        """Makes all parts what they were at a state.

        Raises:
            Refused: there is none, or it has other parts.
            DoesNotFit: a part cannot become what it was; the ones before it have.
            Damaged: a file is not what was written.
        """
        if not self.has(state):
            raise Refused(f"there is no checkpoint of state {state} in {self.folder}.")
        files, plain = checkpoints.load(self._place(state))
        if plain.keys() != self.parts.keys():
            raise Refused(f"the checkpoint of state {state} holds {', '.join(plain)}; wanted {', '.join(self.parts)}.")
        tensors = files["tensors"]
        for name, part in self.parts.items():
            try:
                part.load_state_dict(_unpacked(plain[name], tensors))
            except (RuntimeError, ValueError, KeyError) as error:
                raise DoesNotFit(
                    f"{name} does not fit the checkpoint of state {state} in {self.folder}: {error}"
                ) from error
        torch.set_rng_state(tensors["rng"])
        if torch.cuda.is_available() and f"rng.cuda{torch.cuda.device_count() - 1}" in tensors:
            torch.cuda.set_rng_state_all([tensors[f"rng.cuda{i}"] for i in range(torch.cuda.device_count())])

    def has(self, state: int) -> bool:
        """Whether a state was saved."""
        return checkpoints.exists(self._place(state))

    def release(self, state: State) -> None:
        """Deletes a state's checkpoint: for ``steer(..., keep=3, release=snapshots.release)``."""
        shutil.rmtree(self._place(state.id), ignore_errors=True)

    def _place(self, state: int) -> Path:
        return self.folder / f"state-{state:04d}"


def _packed(value: object, place: str, tensors: dict[str, Tensor]) -> Any:  # noqa: ANN401  (JSON)
    """Nested data as JSON, its tensors taken out; kinds that JSON lacks are marked."""
    if isinstance(value, Tensor):
        while place in tensors:  # "a.b" may be one key, or "b" inside of "a"
            place += "'"
        tensors[place] = value
        return {"tensor": place}
    if isinstance(value, Mapping):
        entries = cast("Mapping[object, object]", value).items()
        for key, _ in entries:
            if not isinstance(key, str | int):
                raise Refused(
                    f"{place} has the key {key!r}, which a checkpoint cannot hold: only words and whole numbers."
                )
        return {"pairs": [[key, _packed(item, f"{place}.{key}", tensors)] for key, item in entries]}
    if isinstance(value, list | tuple):
        items = [_packed(v, f"{place}.{i}", tensors) for i, v in enumerate(cast("list[object]", value))]
        return {"tuple" if isinstance(value, tuple) else "list": items}
    if not isinstance(value, PLAIN):
        raise Refused(
            f"{place} is a {type(value).__name__}, which a checkpoint cannot hold: only tensors and plain data."
        )
    return value


def _unpacked(value: Any, tensors: Mapping[str, Tensor]) -> Any:  # noqa: ANN401  (JSON)
    if not isinstance(value, dict):
        return value
    kind, held = next(iter(cast("dict[str, Any]", value).items()))
    match kind:
        case "tensor":
            return tensors[held]
        case "pairs":
            return {key: _unpacked(item, tensors) for key, item in held}
        case "tuple":
            return tuple(_unpacked(item, tensors) for item in held)
        case _:
            return [_unpacked(item, tensors) for item in held]
