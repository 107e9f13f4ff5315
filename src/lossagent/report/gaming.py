"""Was the metric gamed? What speaks for it in the numbers, each finding with its figures.

A no-reference metric can fall without better images: blurred noise alone lowers NIQE by nearly 2 on a
PSNR-trained network's output, and the paper's Table 2 passes the ground truth (4.08 against 4.15).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from lossagent.report.naming import MetricInfo
from lossagent.report.numbers import Conditions, mean, paired, plain, signed
from lossagent.report.reading import EvaluatedRow, EvaluatedSet, RunData
from lossagent.report.sets import CONTROL, GROUND_TRUTH, by_purpose, sets_of

Level = Literal["alarm", "caution", "unknown", "clear"]
GRAVITY: tuple[Level, ...] = ("alarm", "caution", "unknown", "clear")


@dataclass(frozen=True)
class Finding:
    """One check: how bad, a sentence, and (image set, figures) for every set where it came out so."""

    level: Level
    text: str
    figures: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class _Check:
    level: Level
    text: str
    figures: str


def findings(run: RunData, metrics: Mapping[str, MetricInfo]) -> tuple[Finding, ...]:
    """Every check of the selected state on every set, the gravest first; test sets before the others."""
    found: dict[tuple[Level, str], list[tuple[str, str]]] = {}
    if run.last.id == 0:
        return (Finding("unknown", "No stage was trained yet: there is nothing to check.", ()),)
    sets = sets_of(run)
    for name in sorted(sets, key=by_purpose):
        for check in _checks(sets[name], metrics):
            found.setdefault((check.level, check.text), []).append((name, check.figures))
    ordered = sorted(found.items(), key=lambda item: GRAVITY.index(item[0][0]))
    return tuple(Finding(level, text, tuple(figures)) for (level, text), figures in ordered)


def verdict(found: Sequence[Finding]) -> Level:
    """The gravest level; ``"unknown"`` where nothing could be checked."""
    return found[0].level if found else "unknown"


def _checks(one: EvaluatedSet, metrics: Mapping[str, MetricInfo]) -> Iterator[_Check]:
    start, chosen = one.rows.get("start"), one.rows.get("selected")
    if start is None or chosen is None:
        return
    if chosen.state == 0:
        yield _Check("clear", "The selected state is the start itself.", "")
        return
    for metric in metrics.values():
        if metric.objective:
            yield from _ceiling(one.rows.get(GROUND_TRUTH), chosen, metric, one.conditions)
            yield from _control(one.rows.get(CONTROL), start, chosen, metric, one.conditions)
        elif metric.direction is not None:
            yield from _guard(start, chosen, metric, one.conditions)


def _ceiling(
    truth: EvaluatedRow | None, chosen: EvaluatedRow, metric: MetricInfo, conditions: Conditions
) -> Iterator[_Check]:
    ours = mean(chosen.scores.get(metric.name, {}), conditions)
    top = mean(truth.scores.get(metric.name, {}), conditions) if truth is not None else None
    if ours is None or not metric.ceiling:
        return
    if top is None:
        yield _Check("unknown", f"The ground truth has no {metric.name} score: no ceiling can be checked.", "")
        return
    places = metric.places(top)
    figures = f"{plain(ours, places)} against {plain(top, places)} for the ground truth"
    if metric.gain(ours - top) > 0:
        text = (
            f"{metric.name} went beyond the ground truth. Restored images cannot be more natural than the "
            "photographs they restore: the metric is being played."
        )
        yield _Check("alarm", text, figures)
    else:
        yield _Check("clear", f"{metric.name} stays short of its ceiling.", figures)


def _control(
    control: EvaluatedRow | None,
    start: EvaluatedRow,
    chosen: EvaluatedRow,
    metric: MetricInfo,
    conditions: Conditions,
) -> Iterator[_Check]:
    if control is None:
        return
    base = start.scores.get(metric.name, {})
    noise = paired(control.scores.get(metric.name, {}), base, conditions, interval=False)
    ours = paired(chosen.scores.get(metric.name, {}), base, conditions, interval=False)
    if noise is None or ours is None:
        return
    places = metric.places(noise.mean)
    figures = f"{signed(noise.mean, places)} by noise, {signed(ours.mean, places)} by this run"
    if metric.gain(noise.mean) >= metric.gain(ours.mean) and metric.gain(noise.mean) > 0:
        text = (
            f"Blurred noise laid over the start moves {metric.name} as far or further: "
            "by this metric alone the run cannot be told from noise."
        )
        yield _Check("caution", text, figures)
    else:
        yield _Check("clear", f"Blurred noise alone does not reach this {metric.name}.", figures)


def _guard(start: EvaluatedRow, chosen: EvaluatedRow, metric: MetricInfo, conditions: Conditions) -> Iterator[_Check]:
    before, after = start.scores.get(metric.name, {}), chosen.scores.get(metric.name, {})
    change = paired(after, before, conditions, interval=False)
    was, now = mean(before, conditions), mean(after, conditions)
    if change is None or was is None or now is None:
        return
    places = metric.places(was)
    figures = f"{plain(was, places)} → {plain(now, places)} ({signed(change.mean, places)})"
    if metric.gain(change.mean) < -(metric.unit or 0.0):
        grid = (
            "a regular grid may be forming in the images" if "lattice" in metric.name else "a guard moved the wrong way"
        )
        yield _Check("caution", f"{metric.name} {'fell' if change.mean < 0 else 'rose'}: {grid}.", figures)
    else:
        yield _Check("clear", f"{metric.name} held, or moved the wanted way.", figures)
