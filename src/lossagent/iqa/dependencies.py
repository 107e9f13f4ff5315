"""Packages that metrics of pyiqa need and may not find, with the line that brings each."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

from lossagent.errors import MissingPackage
from lossagent.iqa.listing import Entry

CLIP = frozenset({"CLIPIQA", "LIQE", "QualiCLIP", "MACLIP", "LAIONAes"})
LANGUAGE = frozenset({"QAlign", "QReAlign", "Compare2Score"})
"""Kinds that ask a large language model about one image."""

LINES = {
    "pkg_resources": "pip install 'setuptools<81'",
    "icecream": "pip install icecream",
    "bitsandbytes": "pip install bitsandbytes",
    "clip": "pip install openai-clip",
}
"""Import name -> the line; other packages are their own names."""


class MissingDependency(MissingPackage):
    """A package that pyiqa imports without bringing it.

    Args:
        metric: ``pyiqa:NAME``.
        package: import name.
    """

    def __init__(self, metric: str, package: str) -> None:
        line = LINES.get(package, f"pip install {package}")
        why = (
            "setuptools 81 no longer brings pkg_resources" if package == "pkg_resources" else "pyiqa does not bring it"
        )
        super(MissingPackage, self).__init__(
            f"Metric {metric!r} needs the package {package!r}, which is not installed ({why}). Install it with: {line}"
        )


def check_dependencies(entry: Entry) -> None:
    """Looks for the packages that are known to be missing at times; nothing is imported.

    Raises:
        MissingDependency: names the package and the exact line.
    """
    needed: list[str] = []
    if entry.kind in CLIP:
        needed += ["clip", "pkg_resources"]
    if entry.kind in ("QAlign", "Compare2Score"):
        needed.append("icecream")
    if entry.options.get("dtype") in ("8bit", "4bit"):
        needed.append("bitsandbytes")
    for package in needed:
        if find_spec(package) is None:
            raise MissingDependency(entry.full_name, package)


def missing_module(error: BaseException) -> str | None:
    """The top-level package whose import failed behind an error, ``None`` if none did."""
    for cause in _chain(error):
        if isinstance(cause, ModuleNotFoundError) and cause.name:
            return cause.name.partition(".")[0]
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
