"""Finds a model's files on this machine, in a folder or in the Hugging Face hub's cache; downloads nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lossagent.errors import MissingAsset

SINGLE_FILES = ("model.safetensors", "pytorch_model.bin")
INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")


@dataclass(frozen=True)
class Snapshot:
    """The files of a model.

    Attributes:
        source: what transformers is told to load: the folder, or the name on the hub.
        revision: commit in the hub's cache, ``None`` for a folder.
        folder: where the files are.
    """

    source: str
    revision: str | None
    folder: Path


def find_snapshot(model: str, revision: str | None = None) -> Snapshot:
    """The files of a model whose code comes with its weights.

    Args:
        model: a folder, or a name on the hub such as ``q-future/co-instruct``.
        revision: commit or branch in the hub's cache, ``None`` for ``main``.

    Raises:
        MissingAsset: the folder or files in it are not there; names each, and how to get them.
    """
    folder = Path(model).expanduser()
    if folder.is_dir() or model.startswith((".", "~")) or folder.is_absolute():
        found = Snapshot(str(folder), None, folder)
    else:
        found = _cached(model, revision)
    if missing := missing_files(found.folder):
        shown = ", ".join(missing[:8]) + (f" and {len(missing) - 8} more" if len(missing) > 8 else "")
        raise MissingAsset(f"{model}: not in {found.folder}: {shown}. {_advice(model)}")
    return found


def missing_files(folder: Path) -> list[str]:
    """Names of the files that are needed and not there: settings, code, tokenizer, image processor, weights."""
    missing = [name for name in ("config.json", "preprocessor_config.json") if not (folder / name).is_file()]
    if not any((folder / name).is_file() for name in ("tokenizer.model", "tokenizer.json")):
        missing.append("tokenizer.model")
    missing += [name for name in _code(_read(folder / "config.json")) if not (folder / name).is_file()]
    if any((folder / name).is_file() for name in SINGLE_FILES):
        return missing
    index = next((folder / name for name in INDEXES if (folder / name).is_file()), None)
    if index is None:
        return [*missing, f"{SINGLE_FILES[0]} (or {INDEXES[1]} and the files it names)"]
    shards = _read(index).get("weight_map")
    names = sorted({str(name) for name in shards.values()}) if isinstance(shards, dict) else []
    if not names:
        return [*missing, f"the names of weight files in {index.name}"]
    return missing + [name for name in names if not (folder / name).is_file()]


def _code(config: Mapping[str, Any]) -> list[str]:
    """The Python files that a configuration names."""
    named = config.get("auto_map")
    classes = [str(name).split("--")[-1] for name in named.values()] if isinstance(named, dict) else []
    return sorted({f"{name.split('.')[0]}.py" for name in classes if "." in name})


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _cached(model: str, revision: str | None) -> Snapshot:
    repository = _cache() / f"models--{model.replace('/', '--')}"
    pointer = repository / "refs" / (revision or "main")
    commit = pointer.read_text(encoding="utf-8").strip() if pointer.is_file() else revision
    if commit is None or not (repository / "snapshots" / commit).is_dir():
        wanted = repository / "snapshots" / (commit or revision or "<commit of main>")
        raise MissingAsset(f"{model} is not on this machine: there is no folder {wanted}. {_advice(model)}")
    return Snapshot(model, commit, repository / "snapshots" / commit)


def _cache() -> Path:
    """Where the hub keeps what it downloaded, as its own library finds it."""
    if own := os.environ.get("HF_HUB_CACHE"):
        return Path(own).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("HF_HOME") or f"{cache}/huggingface"
    return Path(home).expanduser() / "hub"


def _advice(model: str) -> str:
    name = model if "/" in model and not model.startswith(("/", ".", "~")) else "q-future/co-instruct"
    return f"Where there is a network: hf download {name} --local-dir FOLDER; then say model: FOLDER."
