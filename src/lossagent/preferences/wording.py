"""What people are asked, in words."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

USUAL: Mapping[str, str] = MappingProxyType(
    {
        "pair": "Which image looks better?",
        "rating": "How good does this image look, from 1 (bad) to 5 (excellent)?",
        "comment": "What do you see in this image that should be better, and what is good?",
    }
)
"""Kind of task -> what is asked where the experiment has no words of its own."""


def wording(kind: str, own: str = "") -> str:
    """The question of a task.

    Args:
        kind: ``pair``, ``rating`` or ``comment``.
        own: the experiment's own words, "" for none.
    """
    return own.strip() or USUAL[kind]
