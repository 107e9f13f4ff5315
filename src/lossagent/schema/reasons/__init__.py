"""Why each default is what it is, and when to take another value.

What has a default or a limit and no reason here is refused when the schema is made. Base classes count: what is said of
``LLMOptions`` holds for the settings that are made from it.
"""

from __future__ import annotations

from collections.abc import Mapping

from lossagent.schema.reasons import agents, chat, experiment, feedback, study, training

_ALL: Mapping[str, Mapping[str, str]] = {
    name: keys
    for module in (experiment, training, agents, feedback, chat, study)
    for name, keys in module.REASONS.items()
}
"""Class -> key -> reason."""


def reason_of(owner: type, key: str) -> str | None:
    """The reason of a setting, as a sentence; ``None`` where nobody gave one.

    Args:
        owner: the class of the settings.
        key: one of its fields.
    """
    found = next((_ALL[one.__name__][key] for one in owner.__mro__ if key in _ALL.get(one.__name__, ())), None)
    return None if found is None else found[:1].upper() + found[1:]


def known() -> frozenset[str]:
    """``Class.key`` of all reasons."""
    return frozenset(f"{name}.{key}" for name, keys in _ALL.items() for key in keys)
