"""Checkpoints: safetensors plus JSON, whole or not at all, verified on load.

A folder is written as ``NAME.tmp``, every file synchronised, then ``manifest.json`` with sizes and sha256, then
renamed. Neither safetensors nor torch notices a flipped byte; the manifest does.
"""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from lossagent.assets import sha256
from lossagent.errors import Damaged, Failed
from lossagent.runs import sync_folder

Tensors = Mapping[str, Mapping[str, Tensor]]
"""File name without ending -> tensor name -> tensor."""


def tensors_sha256(tensors: Mapping[str, Tensor]) -> str:
    """Hash of names, shapes, types and values, independent of how they are stored."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name}|{tuple(tensor.shape)}|{tensor.dtype}|".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def save(folder: Path, tensors: Tensors, state: Mapping[str, Any]) -> None:
    """Writes a checkpoint folder, replacing an earlier one only when the new one is complete.

    Args:
        folder: where it goes.
        tensors: one safetensors file for each entry.
        state: plain data for ``state.json``.

    Raises:
        Failed: the disk is full or not writable; what was there before is untouched.
    """
    temporary = folder.with_name(folder.name + ".tmp")
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        for name, group in tensors.items():
            # Contiguous copies: safetensors refuses views that share memory (channels_last weights among them).
            plain = {n: t.detach().cpu().contiguous().clone() for n, t in group.items()}
            save_file(plain, temporary / f"{name}.safetensors")
        (temporary / "state.json").write_text(json.dumps(state, indent=1))
        files = sorted(p for p in temporary.iterdir() if p.is_file())
        manifest = {p.name: {"bytes": p.stat().st_size, "sha256": sha256(p)} for p in files}
        (temporary / "manifest.json").write_text(json.dumps(manifest, indent=1))
        for path in (*files, temporary / "manifest.json", temporary):
            sync_folder(path)
        _replace(temporary, folder)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(temporary, ignore_errors=True)
        full = getattr(error, "errno", None) == errno.ENOSPC or "No space left" in str(error)
        what = "the disk is full" if full else f"writing failed ({error})"
        raise Failed(
            f"checkpoint {folder}: {what}. The checkpoints before it are intact; make room and resume the run."
        ) from error


def _replace(temporary: Path, folder: Path) -> None:
    old = folder.with_name(folder.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    temporary.rename(folder)
    sync_folder(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def verify(folder: Path) -> None:
    """Checks every file against the manifest.

    Raises:
        Damaged: a file is missing, of another size, or changed.
    """
    manifest = folder / "manifest.json"
    if not manifest.exists():
        raise Damaged(f"checkpoint {folder} is incomplete: it has no manifest.json.")
    try:
        entries: dict[str, dict[str, Any]] = json.loads(manifest.read_text())
    except ValueError as error:
        raise Damaged(f"checkpoint {folder}: manifest.json cannot be read ({error}).") from error
    for name, entry in entries.items():
        path = folder / name
        if not path.exists():
            raise Damaged(f"checkpoint {folder}: {name} is missing.")
        if path.stat().st_size != entry["bytes"]:
            raise Damaged(
                f"checkpoint {folder}: {name} has {path.stat().st_size} bytes, {entry['bytes']} were written."
            )
        if sha256(path) != entry["sha256"]:
            raise Damaged(f"checkpoint {folder}: {name} was changed since it was written (sha256 differs).")


def load_state(folder: Path) -> dict[str, Any]:
    """The plain data of a checkpoint, without its tensors.

    Raises:
        Damaged: it cannot be read.
    """
    try:
        return json.loads((_present(folder) / "state.json").read_text())
    except (OSError, ValueError) as error:
        raise Damaged(f"checkpoint {folder}: state.json cannot be read ({error}).") from error


def exists(folder: Path) -> bool:
    """Whether there is a checkpoint, in its place or caught between two renames."""
    return _present(folder).exists()


def _present(folder: Path) -> Path:
    old = folder.with_name(folder.name + ".old")
    return old if not folder.exists() and old.exists() else folder


def load(folder: Path) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]]:
    """Verifies and reads a checkpoint: (tensors on the CPU, state).

    A folder that a crash caught between two renames is read from its ``.old`` twin.

    Raises:
        Damaged: see :func:`verify`.
    """
    folder = _present(folder)
    verify(folder)
    tensors = {p.stem: load_file(p) for p in sorted(folder.glob("*.safetensors"))}
    return tensors, json.loads((folder / "state.json").read_text())


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The tensors of an optimizer's state as "parameter index.name"; its settings come from the experiment."""
    state: dict[int, dict[str, Tensor]] = optimizer.state_dict()["state"]
    return {f"{i}.{name}": value for i, entry in state.items() for name, value in entry.items()}


def load_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Restores what :func:`optimizer_tensors` took."""
    parameters: list[Tensor] = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split(".", 1)
        parameter = parameters[int(index)]
        if value.shape == parameter.shape:
            # Fused Adam walks raw memory: moments must lie as their parameter does (channels_last or not).
            value = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
