"""Complete experiments to edit: a task at a scale, as commented YAML."""

from __future__ import annotations

from importlib import resources

from lossagent.errors import UnknownName


def _table() -> dict[tuple[str, str], str]:
    """(task, scale) -> file."""
    files = [f.name for f in resources.files(__name__).iterdir() if f.name.endswith(".yaml")]
    found: dict[tuple[str, str], str] = {}
    for file in sorted(files):
        task, _, scale = file.removesuffix(".yaml").rpartition(".")
        found[task, scale] = file
    return found


def names() -> list[str]:
    """Tasks that there are recipes for."""
    return sorted({task for task, _ in _table()})


def text(name: str, scale: str | None = None) -> str:
    """The YAML of a recipe, with its comments.

    Args:
        name: the task.
        scale: ``None`` for the paper's, or the only one there is.

    Raises:
        UnknownName: no such task or scale.
    """
    table = _table()
    if name not in names():
        raise UnknownName("recipe", name, names())
    scales = [s for task, s in table if task == name]
    scale = scale or (scales[0] if len(scales) == 1 else "paper")
    if scale not in scales:
        raise UnknownName(f"scale of {name}", scale, scales)
    return (resources.files(__name__) / table[name, scale]).read_text(encoding="utf-8")
