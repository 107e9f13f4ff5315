"""What a page can ask for that is not there, or not any more. Both become an HTTP status."""

from __future__ import annotations

from lossagent.errors import Refused


class NoSuch(Refused):
    """There is no such run, state, task or picture; status 404."""


class AlreadyAnswered(Refused):
    """The person has answered this task; the first answer stands; status 409."""
