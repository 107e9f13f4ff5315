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


def text(name: str, scale: str = "paper") -> str:
    """The YAML of a recipe, with its comments.

    Raises:
        UnknownName: no such task or scale.
    """
    table = _table()
    if name not in names():
        raise UnknownName("recipe", name, names())
    if (name, scale) not in table:
        raise UnknownName(f"scale of {name}", scale, [s for task, s in table if task == name])
    return (resources.files(__name__) / table[name, scale]).read_text(encoding="utf-8")
