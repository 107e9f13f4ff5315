"""Was the metric gamed? What speaks for it in the numbers, each finding with its figures.

A no-reference metric can fall without better images: blurred noise alone lowers NIQE by nearly 2 on a
PSNR-trained network's output, and the paper's Table 2 passes the ground truth (4.08 against 4.15).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from lossagent.alarm import Sign, signs
from lossagent.feedback import Feedback
from lossagent.report.lookouts import lookout_of, run_signs
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


def findings(
    run: RunData, metrics: Mapping[str, MetricInfo], *, fixed: RunData | None = None, intervals: bool = True
) -> tuple[Finding, ...]:
    """Every check of the selected state on every set, the gravest first; test sets before the others.

    Args:
        run: the run.
        metrics: what the page knows of them.
        fixed: the run under fixed weights beside it.
        intervals: ``False`` judges no change by its noise: a guard that fell is no more than a caution then.
    """
    found: dict[tuple[Level, str], list[tuple[str, str]]] = {}
    if run.last.id == 0:
        return (Finding("unknown", "No stage was trained yet: there is nothing to check.", ()),)
    sets = sets_of(run)
    for name in sorted(sets, key=by_purpose):
        seen = _signs(run, fixed, name, sets[name])
        shown = {m: sign for m, sign in seen.items() if intervals or sign.kind == "ceiling"}
        for check in _checks(sets[name], metrics, shown):
            found.setdefault((check.level, check.text), []).append((name, check.figures))
    along = _along(run, fixed) if intervals else ()
    ordered = sorted([*found.items(), *along], key=lambda item: GRAVITY.index(item[0][0]))
    return tuple(Finding(level, text, tuple(figures)) for (level, text), figures in ordered)


def summary(found: Sequence[Finding]) -> str:
    """What the findings come to, in a sentence."""
    match verdict(found):
        case "alarm":
            return "Alarm: the objective was raised at a price, or beyond what can be true. Look at the crops."
        case "caution":
            return "Caution: see what moved the wrong way, and look at the crops."
        case "clear":
            return "Nothing in these figures speaks for it. The crops have the last word."
        case "unknown":
            return "It could not be checked fully: see what is lacking."


def verdict(found: Sequence[Finding]) -> Level:
    """The gravest level; ``"unknown"`` where nothing could be checked."""
    return found[0].level if found else "unknown"


def _signs(run: RunData, fixed: RunData | None, name: str, one: EvaluatedSet) -> dict[str, Sign]:
    """metric -> the alarm that the selected state raises on a set."""
    start, chosen = one.rows.get("start"), one.rows.get("selected")
    lookout = lookout_of(run, fixed, name)
    if start is None or chosen is None or chosen.state is None or lookout is None:
        return {}
    before, after = (Feedback(scores=row.scores, conditions=one.conditions) for row in (start, chosen))
    found = signs({chosen.state: after}, before, lookout, {chosen.state: chosen.depth or 0})
    return {sign.metric: sign for sign in found[chosen.state]}


def _along(run: RunData, fixed: RunData | None) -> tuple[tuple[tuple[Level, str], list[tuple[str, str]]], ...]:
    """That other states raised the alarm on the feedback images."""
    raised = {i: found for i, found in run_signs(run, fixed).items() if found}
    scored = sum(s.id != 0 for s in run.trajectory.scored)
    if not raised:
        return ()
    states = "state" if scored == 1 else "states"
    text = f"{len(raised)} of {scored} trained {states} raised this alarm on the feedback images: see their decisions."
    first, last = min(raised), max(raised)
    figures = [(f"S{i}", raised[i][0].sentence) for i in dict.fromkeys((first, last))]
    return ((("caution", text), figures),)


def _checks(one: EvaluatedSet, metrics: Mapping[str, MetricInfo], alarms: Mapping[str, Sign]) -> Iterator[_Check]:
    start, chosen = one.rows.get("start"), one.rows.get("selected")
    if start is None or chosen is None:
        return
    if chosen.state == 0:
        yield _Check("clear", "The selected state is the start itself.", "")
        return
    for metric in metrics.values():
        alarm = alarms.get(metric.name)
        if metric.role in ("objective", "proxy"):
            yield from _ceiling(one.rows.get(GROUND_TRUTH), chosen, metric, one.conditions, alarm)
            yield from _control(one.rows.get(CONTROL), start, chosen, metric, one.conditions)
        elif metric.direction is not None:
            yield from _guard(start, chosen, metric, one.conditions, alarm)


def _ceiling(
    truth: EvaluatedRow | None,
    chosen: EvaluatedRow,
    metric: MetricInfo,
    conditions: Conditions,
    alarm: Sign | None,
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
    if alarm is not None:
        text = (
            f"{metric.name} went beyond the ground truth. Restored images cannot be more natural than the "
            "photographs they restore: the metric is being played."
        )
        yield _Check("alarm", text, figures)
    elif metric.gain(ours - top) > 0:
        text = f"{metric.name} is beyond the ground truth, and so was the start: it can no longer be told by it."
        yield _Check("caution", text, figures)
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


def _guard(
    start: EvaluatedRow, chosen: EvaluatedRow, metric: MetricInfo, conditions: Conditions, alarm: Sign | None
) -> Iterator[_Check]:
    before, after = start.scores.get(metric.name, {}), chosen.scores.get(metric.name, {})
    change = paired(after, before, conditions, interval=False)
    was, now = mean(before, conditions), mean(after, conditions)
    if change is None or was is None or now is None:
        return
    places = metric.places(was)
    figures = f"{plain(was, places)} → {plain(now, places)} ({signed(change.mean, places)})"
    way = "fell" if change.mean < 0 else "rose"
    grid = "a regular grid may be forming in the images" if "lattice" in metric.name else ""
    if alarm is not None:
        text = f"{metric.name} {way} beyond its noise while the objective rose: the objective may be played"
        yield _Check("alarm", f"{text}, and {grid}." if grid else f"{text}.", f"{figures}: {alarm.sentence}")
    elif metric.gain(change.mean) < -(metric.unit or 0.0):
        plainly = (
            "the goal sets it a limit, see there" if metric.role == "constraint" else "a guard moved the wrong way"
        )
        yield _Check("caution", f"{metric.name} {way}: {grid or plainly}.", figures)
    else:
        yield _Check("clear", f"{metric.name} held, or moved the wanted way.", figures)
