"""Was the metric gamed? What speaks for it in the numbers, each finding with its figures.

A no-reference metric can fall without better images: blurred noise alone lowers NIQE by nearly 2 on a
PSNR-trained network's output, and the paper's Table 2 passes the ground truth (4.08 against 4.15).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from lossagent.report.naming import MetricInfo
from lossagent.report.numbers import mean, paired, plain, signed
from lossagent.report.reading import EvaluatedRow, EvaluatedSet, RunData
from lossagent.report.tables import CONTROL, GROUND_TRUTH, sets_of

Level = Literal["alarm", "caution", "clear", "unknown"]


@dataclass(frozen=True)
class Finding:
    """One check on one image set: how bad, and the sentence with its figures."""

    level: Level
    text: str


def findings(run: RunData, metrics: Mapping[str, MetricInfo]) -> tuple[Finding, ...]:
    """Every check on every set for the selected state, the gravest first."""
    found: list[Finding] = []
    for name, one in sets_of(run).items():
        start, chosen = one.rows.get("start"), one.rows.get("selected")
        if start is None or chosen is None:
            continue
        if chosen.state == 0:
            found.append(Finding("clear", f"{name} set: the selected state is the start itself."))
            continue
        found.extend(_ceiling(name, one, chosen, metrics))
        found.extend(_control(name, one, start, chosen, metrics))
        found.extend(_guards(name, start, chosen, metrics))
    grave = {"alarm": 0, "caution": 1, "unknown": 2, "clear": 3}
    return tuple(sorted(found, key=lambda f: grave[f.level]))


def verdict(found: Sequence[Finding]) -> Level:
    """The gravest level; ``"unknown"`` where nothing could be checked."""
    return found[0].level if found else "unknown"


def _ceiling(
    name: str, one: EvaluatedSet, chosen: EvaluatedRow, metrics: Mapping[str, MetricInfo]
) -> Iterator[Finding]:
    truth = one.rows.get(GROUND_TRUTH)
    for metric in (m for m in metrics.values() if m.objective):
        ours = mean(chosen.scores.get(metric.name, {}))
        top = mean(truth.scores.get(metric.name, {})) if truth is not None else None
        if ours is None:
            continue
        if top is None:
            text = f"{name} set: the ground truth has no {metric.name} score here, so no ceiling can be checked."
            yield Finding("unknown", text)
            continue
        places = metric.places(top)
        figures = f"{plain(ours, places)} against {plain(top, places)} for the ground truth"
        if metric.gain(ours - top) > 0:
            yield Finding(
                "alarm",
                f"{name} set: {metric.name} went beyond the ground truth ({figures}). "
                "Restored images cannot be more natural than the photographs: the metric is being played.",
            )
        else:
            yield Finding("clear", f"{name} set: {metric.name} stays short of its ceiling ({figures}).")


def _control(
    name: str,
    one: EvaluatedSet,
    start: EvaluatedRow,
    chosen: EvaluatedRow,
    metrics: Mapping[str, MetricInfo],
) -> Iterator[Finding]:
    control = one.rows.get(CONTROL)
    for metric in (m for m in metrics.values() if m.objective and control is not None):
        assert control is not None
        base = start.scores.get(metric.name, {})
        noise = paired(control.scores.get(metric.name, {}), base, interval=False)
        ours = paired(chosen.scores.get(metric.name, {}), base, interval=False)
        if noise is None or ours is None:
            continue
        places = metric.places(noise.mean)
        figures = f"{signed(noise.mean, places)} by noise, {signed(ours.mean, places)} by this run"
        if metric.gain(noise.mean) >= metric.gain(ours.mean) and metric.gain(noise.mean) > 0:
            text = (
                f"{name} set: blurred noise laid over the start moves {metric.name} as far or further "
                f"({figures}). By this metric alone the run cannot be told from noise."
            )
            yield Finding("caution", text)
        else:
            yield Finding(
                "clear", f"{name} set: blurred noise alone does not reach this {metric.name} ({figures})."
            )


def _guards(
    name: str, start: EvaluatedRow, chosen: EvaluatedRow, metrics: Mapping[str, MetricInfo]
) -> Iterator[Finding]:
    for metric in (m for m in metrics.values() if not m.objective and m.direction is not None):
        before = start.scores.get(metric.name, {})
        change = paired(chosen.scores.get(metric.name, {}), before, interval=False)
        was, now = mean(before), mean(chosen.scores.get(metric.name, {}))
        if change is None or was is None or now is None:
            continue
        places = metric.places(was)
        figures = f"{plain(was, places)} → {plain(now, places)}, {signed(change.mean, places)}"
        gain = metric.gain(change.mean)
        if gain < -(metric.unit or 0.0):
            what = "a regular grid appears in the images" if "lattice" in metric.name else "a guard moved the wrong way"
            side = "fell" if change.mean < 0 else "rose"
            yield Finding("caution", f"{name} set: {metric.name} {side} ({figures}): {what}.")
        else:
            yield Finding("clear", f"{name} set: {metric.name} held ({figures}).")
