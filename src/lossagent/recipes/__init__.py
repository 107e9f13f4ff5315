"""Complete experiments to edit, and studies of the paper's tables and figures, as commented YAML."""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable

from lossagent.errors import UnknownName


def _table(folder: Traversable) -> dict[tuple[str, str], Traversable]:
    """(name, scale) -> file."""
    found: dict[tuple[str, str], Traversable] = {}
    for file in sorted(folder.iterdir(), key=lambda f: f.name):
        if file.name.endswith(".yaml"):
            name, _, scale = file.name.removesuffix(".yaml").rpartition(".")
            found[name, scale] = file
    return found


def _experiments() -> dict[tuple[str, str], Traversable]:
    return _table(resources.files(__name__))


def _studies() -> dict[tuple[str, str], Traversable]:
    return _table(resources.files(__name__) / "studies")


def names() -> list[str]:
    """Tasks that there are experiments for."""
    return sorted({task for task, _ in _experiments()})


def studies() -> list[str]:
    """Tables and figures of the paper that there are studies for."""
    return sorted({name for name, _ in _studies()})


def text(name: str, scale: str | None = None) -> str:
    """The YAML of a recipe, with its comments.

    Args:
        name: the task, or the table or figure.
        scale: ``None`` for the paper's, or the only one there is.

    Raises:
        UnknownName: no such name or scale.
    """
    table = _experiments() | _studies()
    known = [*names(), *studies()]
    if name not in known:
        raise UnknownName("recipe", name, known)
    scales = [s for other, s in table if other == name]
    scale = scale or (scales[0] if len(scales) == 1 else "paper")
    if scale not in scales:
        raise UnknownName(f"scale of {name}", scale, scales)
    return table[name, scale].read_text(encoding="utf-8")
