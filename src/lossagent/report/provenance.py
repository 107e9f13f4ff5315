"""Where everything came from: versions, machine, weights and image sets with their hashes and licences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lossagent.report.reading import RunData, section

_KNOWN = {"versions", "weights", "image_sets", "notices"}


@dataclass(frozen=True)
class Asset:
    """A file that the run used."""

    name: str
    file: str
    sha256: str
    source: str
    licence: str


def versions_of(run: RunData) -> tuple[tuple[str, str], ...]:
    """(package, version)."""
    return tuple((name, str(version)) for name, version in section(run.environment, "versions").items())


def machine_of(run: RunData) -> tuple[tuple[str, str], ...]:
    """(fact, value) of the machine: hardware, threads, device, seeds."""
    return tuple(_flat({k: v for k, v in run.environment.items() if k not in _KNOWN}))


def _flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    facts: list[tuple[str, str]] = []
    for key, value in values.items():
        if isinstance(value, dict):
            facts += _flat({str(k): v for k, v in value.items()}, f"{prefix}{key} · ")
        else:
            text = ", ".join(str(v) for v in value) if isinstance(value, list) else str(value)
            facts.append((f"{prefix}{key}", text))
    return facts


def assets_of(run: RunData) -> tuple[Asset, ...]:
    """Weights that came from elsewhere."""
    return tuple(
        _asset(name, one) for name, one in section(run.environment, "weights").items() if isinstance(one, dict)
    )


def image_sets_of(run: RunData) -> tuple[tuple[str, tuple[Asset, ...]], ...]:
    """(set, its images)."""
    sets = section(run.environment, "image_sets")
    return tuple(
        (name, tuple(_asset(str(i.get("name", "?")), i) for i in images if isinstance(i, dict)))
        for name, images in sets.items()
        if isinstance(images, list)
    )


def _asset(name: str, facts: Mapping[Any, Any]) -> Asset:
    def text(key: str) -> str:
        value = facts.get(key)
        return "" if value is None else str(value)

    return Asset(name, text("file"), text("sha256"), text("source"), text("licence"))
