"""What ``lossagent evaluate`` is to do, from what its command line says."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lossagent.build.scores import NONE, SHIFTED, metric_of
from lossagent.build.sets import build_sets
from lossagent.commands.methods import Named, Reading, open_method
from lossagent.data import ImageSet
from lossagent.errors import Refused
from lossagent.evaluation.benchmark import AGAINST_INPUT, Benchmark
from lossagent.evaluation.methods import BicubicMethod, InputMethod, Method
from lossagent.evaluation.protocols import EvaluationProtocol, protocol
from lossagent.evaluation.sets import BenchmarkSet, SetSpec, open_sets
from lossagent.experiment import load
from lossagent.experiment.metrics import PEOPLE, MetricSettings
from lossagent.metrics import Metric, MetricOptions, create
from lossagent.report import read_run
from lossagent.report.degradations import set_words


@dataclass(frozen=True)
class Plan:
    """A benchmark and what a reader of its tables should know.

    Attributes:
        benchmark: what is evaluated.
        about: set -> where it comes from and how its inputs are made.
        notes: sentences on sets and methods.
    """

    benchmark: Benchmark
    about: Mapping[str, str]
    notes: tuple[str, ...]


def planned(
    methods: Sequence[str],
    sets: Sequence[str],
    rules: str | None,
    metrics: str | None,
    baseline: str | None,
    reading: Reading,
) -> Plan:
    """Opens methods, sets and metrics; nothing is restored yet.

    Args:
        methods, sets, rules, metrics, baseline: as on the command line.
        reading: how checkpoints are read.

    Raises:
        Refused: whatever cannot work, named.
    """
    named = [Named.parse(text) for text in methods]
    scale = reading.scale or _scale(named, rules)
    rows = [open_method(one, reading, scale) for one in named]
    if reading.scale is None and (own := next((m.scale for m, n in zip(rows, named, strict=True)
                                               if m.scale is not None and n.what not in BASELINES), None)):  # fmt: skip
        scale = own
        # The baseline was opened before the scale of the networks was known.
        rows = [open_method(n, reading, own) if n.what in BASELINES else m for n, m in zip(named, rows, strict=True)]
    chosen = protocol(rules or ("all-in-one" if scale == 1 else "classical-sr"))
    if baseline is not None:
        rows.insert(0, _baseline(baseline, scale))
    found, notes = _sets(sets, named, chosen, scale)
    benchmark = Benchmark(
        chosen,
        scale,
        tuple(one.images for one in found),
        tuple(rows),
        {name: make_metric(name, chosen, scale, own_of(named)) for name in _metrics(metrics, chosen, rows)},
    )
    _refuse_blind(benchmark)
    about = {one.images.name: one.about for one in found}
    notes += [f"Images {name}: {text.rstrip('.')}." for name, text in about.items()]
    notes += [f"{m.label}: {m.about}." for m in benchmark.rows if m.about]
    return Plan(benchmark, about, tuple(notes))


def _refuse_blind(benchmark: Benchmark) -> None:
    """Refuses metrics of which none can be taken on any set."""
    if any(one.reference for one in benchmark.sets):
        return
    if all(m.facts.needs_reference and name not in AGAINST_INPUT for name, m in benchmark.metrics.items()):
        raise Refused(
            f"metrics {', '.join(benchmark.metrics)} compare with ground truths, and the image sets have none: add one "
            "that does not (--metrics niqe), take --protocol real-sr, or give sets with ground truths."
        )


def own_of(named: Sequence[Named]) -> dict[str, MetricSettings]:
    """The metrics that the experiments of runs define, by name; the first of two alike."""
    own: dict[str, MetricSettings] = {}
    for one in named:
        if one.run is not None:
            own = {**load(one.run / "experiment.yaml").metrics, **own}
    return own


def make_metric(name: str, rules: EvaluationProtocol, scale: int, own: Mapping[str, MetricSettings] = NONE) -> Metric:
    """A metric with the border of a protocol, or one of the user's own.

    Raises:
        UnknownName: no such metric.
        Refused: one that means nothing for a method on its own.
    """
    if name == "drift":
        raise Refused("metric 'drift' compares with a run's own start; in a table of methods it means nothing.")
    if name == SHIFTED or name in own:
        return metric_of(name, scale, own)
    border = rules.border_of(name, scale)
    return create(name, MetricOptions(border=border)) if border else create(name)


def _scale(named: Sequence[Named], rules: str | None) -> int:
    """The scale of the runs, else the protocol's, before any method is opened."""
    for one in named:
        if one.run is not None:
            return load(one.run / "experiment.yaml").scale
    return protocol(rules).scale if rules is not None else 4


def _metrics(text: str | None, rules: EvaluationProtocol, methods: Sequence[Method]) -> list[str]:
    if text is not None:
        names = [name.strip() for name in text.split(",") if name.strip()]
        if not names:
            raise Refused("--metrics names no metric; write for example --metrics psnr_y,niqe.")
        return list(dict.fromkeys(names))
    return list(dict.fromkeys([*rules.metrics, *(t for m in methods for t in m.objective if t not in PEOPLE)]))


BASELINES = ("bicubic", "input")


def _baseline(name: str, scale: int) -> Method:
    if name == "bicubic":
        return BicubicMethod(scale)
    if name == "input":
        return InputMethod()
    raise Refused(f"--baseline must be bicubic or input; found {name!r}.")


def _sets(
    texts: Sequence[str], named: Sequence[Named], rules: EvaluationProtocol, scale: int
) -> tuple[list[BenchmarkSet], list[str]]:
    """The sets that are given, else the test sets of the first run; and sentences about them."""
    if texts:
        return open_sets([SetSpec.parse(text) for text in texts], rules, scale), []
    run = next((one.run for one in named if one.run is not None), None)
    if run is None:
        raise Refused("no image set is given and no method is a run; write --sets NAME=FOLDER.")
    recorded = run / "environment.json"
    overlaps: list[str] = json.loads(recorded.read_text(encoding="utf-8")).get("overlaps") or []
    tests: dict[str, ImageSet] = build_sets(load(run / "experiment.yaml"), overlaps).test
    if not tests:
        raise Refused(f"the run {run} has no test sets; write --sets NAME=FOLDER.")
    note = f"Image sets are the test sets of the run {run.name}, made as its experiment says."
    done = set_words(read_run(run))
    return [BenchmarkSet(images, done.get(name, "")) for name, images in tests.items()], [note]
