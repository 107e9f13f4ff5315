"""Warnings of a run: those it recorded, and those that its records imply."""

from __future__ import annotations

from collections.abc import Sequence

from lossagent.events import Resumed, Retold
from lossagent.report.reading import RunData, section
from lossagent.report.timeline import trained


def warnings_of(runs: Sequence[RunData]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """(run name, its warnings) for every run that has some."""
    texts = [dict.fromkeys((*_training(run), *run.warnings, *run.missing)) for run in runs]
    shared = [t for t in texts[0] if len(runs) > 1 and all(t in one for one in texts)]
    found = [("Every run", tuple(shared))]
    found += [(run.name, tuple(t for t in one if t not in shared)) for run, one in zip(runs, texts, strict=True)]
    overlap = runs[0].evaluation.overlap if runs[0].evaluation is not None else ()
    if overlap:
        found.insert(0, ("Image sets", overlap))
    return tuple((name, one) for name, one in found if one)


def environment_notices(run: RunData) -> tuple[str, ...]:
    """Notices of the environment: licences to keep, stand-ins in use."""
    return tuple(str(n) for n in run.environment.get("notices") or ())


def ema_horizon(run: RunData) -> tuple[float, int] | None:
    """(iterations that the scored moving average looks back over, iterations of a stage) where both are known."""
    training = section(run.experiment, "training")
    decay = training.get("ema")
    if isinstance(decay, dict):
        decay = decay.get("decay")
    stage = training.get("iterations")
    if training.get("score", "ema") != "ema":
        return None
    if not isinstance(decay, float) or not 0 < decay < 1 or not isinstance(stage, int) or stage <= 0:
        return None
    return 1.0 / (1.0 - decay), stage


def _training(run: RunData) -> tuple[str, ...]:
    texts: list[str] = []
    if resumed := sum(isinstance(e, Resumed) for e in run.events):
        texts.append(f"The run was interrupted and resumed {resumed} {'time' if resumed == 1 else 'times'}.")
    texts += [
        f"State S{e.state} was told twice: {e.difference}."
        for e in run.events
        if isinstance(e, Retold) and e.difference
    ]
    reports = [(s.id, s.report) for s in trained(run) if s.report is not None]
    total = sum(r.iterations for _, r in reports)
    skipped = sum(r.skipped for _, r in reports)
    clipped = sum(r.clipped for _, r in reports)
    if skipped:
        where = ", ".join(f"S{i} ({r.skipped})" for i, r in reports if r.skipped)
        texts.append(f"{skipped:,} of {total:,} iterations were skipped for a non-finite loss or gradient: {where}.")
    if clipped:
        share = f" ({100 * clipped / total:.1f} %)" if total else ""
        texts.append(
            f"Gradient clipping was active in {clipped:,} of {total:,} iterations{share}: "
            "there the common size of the weights matters, not their ratios alone."
        )
    said = any(text.startswith("EMA ") for text in run.warnings)
    if not said and (ema := ema_horizon(run)) is not None and ema[0] > ema[1] / 5:
        texts.append(
            f"The moving average that is scored looks back over about {round(ema[0]):,} iterations, "
            f"{100 * ema[0] / ema[1]:.0f} % of a stage of {ema[1]:,}: scores partly reflect earlier stages."
        )
    return tuple(texts)
