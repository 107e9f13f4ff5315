"""A probe's findings as JSON and as a page to read."""

from __future__ import annotations

import math
from pathlib import Path

from lossagent.probe.findings import Findings
from lossagent.probe.plan import Plan
from lossagent.probe.spread import Spread
from lossagent.runs import write_atomically
from lossagent.utility import UTILITY

JSON, PAGE = "probe.json", "probe.md"
HEADS = (
    "iterations",
    "between settings",
    "training noise",
    "image noise",
    "variance ratio",
    "90 % interval",
    "beyond noise",
)


def write_findings(folder: Path, plan: Plan, found: Findings) -> Path:
    """Writes ``probe.json`` and ``probe.md``; returns the page."""
    write_atomically(folder / JSON, found.model_dump_json(indent=1) + "\n")
    write_atomically(folder / PAGE, page_of(plan, found))
    return folder / PAGE


def page_of(plan: Plan, found: Findings) -> str:
    """The page, in Markdown."""
    training = plan.experiment.training
    parts = [
        f"# Probe of {plan.experiment.name}",
        found.sentence,
        "## Proposals",
        "\n".join(f"- {line}" for line in proposals(found)),
        "## Settings",
        f"{len(plan.settings)} settings and {len(plan.repeats)} repeats of the initial weights with other seeds, "
        f"{plan.stages} stages of {training.iterations} iterations each: {plan.iterations} iterations in all. The gain "
        "is the change of the goal's utility from the start at the end, in points.",
        _settings(found),
    ]
    for score, spreads in found.spreads.items():
        title = "The goal's utility, in points" if score == UTILITY else score
        parts += [f"## {title}", _spreads(spreads, training.iterations)]
    parts += ["## How to read it", _ABOUT]
    if found.notes:
        parts += ["## Notes", "\n".join(f"- {note}" for note in found.notes)]
    return "\n\n".join(parts) + "\n"


def proposals(found: Findings) -> tuple[str, ...]:
    """What to set, one line each."""
    length = "longer than tried" if found.stage_iterations is None else str(found.stage_iterations)
    ranges = ", ".join(f"{name}: [{low:g}, {high:g}]" for name, (low, high) in found.bounds.items())
    bounds = f"{{{ranges}}}" if ranges else "none to propose"
    trust = "no move that was tried was clear of the noise" if found.trust is None else f"{found.trust:g}"
    images = "not to be told without a spread" if found.images is None else str(found.images)
    return (
        f"stage length (training.iterations): {length}",
        f"bounds (bounds.per_loss), of settings that broke nothing: {bounds}",
        f"largest factor of a move (bounds.trust), at least: {trust}",
        f"feedback images, for an image noise of a third of the spread: {images}",
    )


def _settings(found: Findings) -> str:
    names = next(iter(found.settings.values())).names
    lines = ["| setting | " + " | ".join(names) + " | gain | broke |", "|---" * (len(names) + 3) + "|"]
    for name, weights in found.settings.items():
        gain = f"{found.gains[name]:+.2f}" if name in found.gains else ""
        cells = [name, *(f"{weights[n]:g}" for n in names), gain, "; ".join(found.broken.get(name, ()))]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _spreads(spreads: tuple[Spread, ...], iterations: int) -> str:
    lines = ["| " + " | ".join(HEADS) + " |", "|---" * len(HEADS) + "|"]
    lines += ["| " + " | ".join(row_of(one, iterations)) + " |" for one in spreads]
    return "\n".join(lines)


def row_of(one: Spread, iterations: int) -> tuple[str, ...]:
    """A spread as the cells of a table."""
    return (
        str(one.depth * iterations),
        f"{one.spread:.3g}",
        f"{one.training:.3g}",
        f"{one.image:.3g}",
        _number(one.ratio),
        f"{_number(one.low)} to {_number(one.high)}",
        "yes" if one.exceeds else "no",
    )


def _number(value: float) -> str:
    return f"{value:.2g}" if math.isfinite(value) else "infinite"


_ABOUT = """\
Settings are compared by the mean change of a score from the start, over the feedback images. *Between settings* is
the standard deviation of their means with the noise taken off. *Training noise* is that of a mean from one training
to the next that more images would not remove, from the repeats; *image noise* that of a mean from one such set of
images to another. The *variance ratio* is the variance between the settings' means over that of the noise: 1 where
weights do nothing. With few settings and repeats its interval is wide; *beyond noise* means that the interval lies
above 1. Settings share their training data, so that the noise between them is rather smaller than that of the repeats:
the probe errs towards showing nothing."""
