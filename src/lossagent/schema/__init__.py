"""The files that people write, as JSON Schema: for editors, and for the reference of every setting."""

from __future__ import annotations

from typing import Any

from lossagent.errors import UnknownName
from lossagent.experiment import Experiment
from lossagent.loops import LoopSettings
from lossagent.schema.described import described
from lossagent.study.plan import Study

FILES = {
    "experiment": (Experiment, "A lossagent experiment"),
    "study": (Study, "A lossagent study"),
    "loop": (LoopSettings, "Settings of a loop of one's own"),
}
"""Kind of file -> settings, title."""


def schema(kind: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a kind of file.

    Every key has a description; numbers have a unit in ``x-unit``. What depends on several keys at once (a name that
    must be one of the losses, two keys of which one is given) is not in it: ``lossagent run --dry-run`` checks that.

    Args:
        kind: one of :data:`FILES`.

    Raises:
        UnknownName: no such kind.
    """
    if kind not in FILES:
        raise UnknownName("kind of file", kind, FILES)
    return described(*FILES[kind])


__all__ = ["FILES", "schema"]
