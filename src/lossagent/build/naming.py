"""Refusals that say which setting they are about."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from lossagent.errors import Refused


@contextmanager
def about(setting: str) -> Generator[None]:
    """Puts a setting in front of the message of a refusal that does not begin with one, and keeps its kind.

    Raises:
        Refused: what was refused inside.
    """
    try:
        yield
    except Refused as error:
        if not str(error).startswith(setting.partition(".")[0]):
            error.args = (f"{setting}: {error}",)
        raise
