"""What was done to the images of each set, in words; what is synthetic is called so, never by a data set's name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lossagent.report.numbers import compact
from lossagent.report.reading import RunData, section

SYNTHETIC = frozenset({"rain", "haze"})
"""Kinds of degradation that are drawn over clean photographs in place of a published data set."""

ROLES = ("train", "feedback", "selection")


def degradation_words(run: RunData) -> str:
    """Each set's degradation; sets of which the same is to be said stand together."""
    said: dict[str, list[str]] = {}
    for name, text in set_words(run).items():
        said.setdefault(text, []).append(name)
    return ". ".join(f"{', '.join(names)}: {text}" for text, names in said.items()) + "." if said else ""


def set_words(run: RunData) -> dict[str, str]:
    """Set -> what was done to its images."""
    return {name: "; ".join(dict.fromkeys(_part(p, run) for p in parts)) for name, parts in sets_in(run).items()}


def synthetic_conditions(run: RunData, set_name: str) -> frozenset[str]:
    """Conditions of a set whose degradation is drawn, not published."""
    parts = sets_in(run).get(set_name, ())
    return frozenset(str(p["condition"]) for p in parts if p.get("condition") and _kind(p, run) in SYNTHETIC)


def sets_in(run: RunData) -> dict[str, tuple[dict[str, Any], ...]]:
    """Set -> its parts as ``experiment.yaml`` has them."""
    data = section(run.experiment, "data")
    named = {role: data[role] for role in ROLES if data.get(role)} | section(data, "test")
    found = {name: tuple(_parts(value)) for name, value in named.items()}
    return {name: parts for name, parts in found.items() if parts}


def _parts(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, Mapping):
        yield section({"set": value}, "set")
    elif isinstance(value, list | tuple):
        for one in value:
            yield section({"set": one}, "set") if isinstance(one, Mapping) else {"images": [one]}
    elif isinstance(value, str):
        yield {"images": [value]}


def _settings(part: Mapping[str, Any], run: RunData) -> dict[str, Any]:
    """The degradation that makes a part's inputs; empty where inputs are ready-made or real."""
    if part.get("low") or part.get("reference") is False:
        return {}
    chosen = part.get("degradation") or section(run.experiment, "data").get("degradation")
    return {"kind": chosen} if isinstance(chosen, str) else section({"made": chosen}, "made")


def _kind(part: Mapping[str, Any], run: RunData) -> str:
    return str(_settings(part, run).get("kind") or "")


def _part(part: Mapping[str, Any], run: RunData) -> str:
    made = _settings(part, run)
    if part.get("reference") is False:
        text = "real images without ground truth"
    elif part.get("low"):
        text = "ready-made inputs"
    else:
        text = {
            "bicubic": f"MATLAB's bicubic ×{run.experiment.get('scale', '?')}, or inputs that lie beside the images",
            "bsrgan": "BSRGAN's random degradation",
            "real-esrgan": "Real-ESRGAN's random degradation",
            "noise": f"Gaussian noise of σ {_number(made.get('sigma'))}",
            "rain": "synthetic rain streaks, none of the published rain sets",
            "haze": "synthetic haze, none of the published haze sets",
        }.get(str(made.get("kind") or ""), str(made.get("kind") or "not recorded"))
    condition = part.get("condition")
    return f"{condition}, {text}" if condition else text


def _number(value: object) -> str:
    return compact(float(value)) if isinstance(value, int | float) else "?"
