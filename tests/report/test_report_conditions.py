"""Conditions in the report: means within them first, a small table, synthetic ones called so."""

from __future__ import annotations

import json

import numpy as np
import pytest
import yaml
from make_run import make_run

from lossagent.report import write_report
from lossagent.report.degradations import degradation_words
from lossagent.report.naming import metrics_of, styles_of
from lossagent.report.numbers import mean, paired
from lossagent.report.reading import read_run
from lossagent.report.tables import set_tables

PARTS = (("noise25", {"kind": "noise", "sigma": 25.0}), ("rain", "rain"), ("haze", None))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = make_run(tmp_path_factory.mktemp("conditions") / "run", images=10)
    stored = json.loads((folder / "evaluation.json").read_text())
    one = stored["sets"]["test"]
    one["conditions"] = {name: PARTS[min(i // 4, 2)][0] for i, name in enumerate(one["images"])}
    (folder / "evaluation.json").write_text(json.dumps(stored))
    settings = yaml.safe_load((folder / "experiment.yaml").read_text())
    parts = [{"images": ["x"], "condition": c, "degradation": d} for c, d in PARTS]
    parts[2] |= {"low": "hazy", "degradation": None}
    settings["data"] |= {"degradation": {"kind": "bicubic"}, "test": {"test": parts}}
    (folder / "experiment.yaml").write_text(yaml.safe_dump(settings))
    return folder


def test_means_are_taken_within_conditions_first(run):
    data = read_run(run)
    (table, *_) = set_tables((data,), styles_of((data,)), metrics_of((data,)), intervals=True)
    one = data.evaluation.sets["test"]
    scores = one.rows["start"].scores["niqe"]
    groups = {c: [scores[i] for i in one.images if one.conditions[i] == c] for c, _ in PARTS}
    expected = np.mean([np.mean(values) for values in groups.values()])
    assert abs(expected - np.mean(list(scores.values()))) > 0.005  # the conditions are of unequal size
    assert float(table.rows[0].cells[0].value) == pytest.approx(expected, abs=0.0051)
    small = table.by_condition[0]
    assert small.conditions == (("noise25", 4), ("rain (synthetic)", 4), ("haze", 12))
    shown = [float(v) for v in small.rows[0].values]
    assert shown == pytest.approx([*(np.mean(v) for v in groups.values()), expected], abs=0.0051)
    reported = next(r for r in table.rows if r.reported)
    chosen = one.rows["selected"].scores["niqe"]
    parts = [np.mean([chosen[i] - scores[i] for i in one.images if one.conditions[i] == c]) for c in groups]
    assert float(reported.cells[0].start.change.replace("−", "-")) == pytest.approx(np.mean(parts), abs=0.0051)


def test_sets_without_conditions_have_no_such_table(run):
    data = read_run(run)
    tables = set_tables((data,), styles_of((data,)), metrics_of((data,)), intervals=True)
    assert [bool(t.by_condition) for t in tables] == [True, False, False]


def test_the_interval_keeps_each_conditions_weight():
    scores = {f"a{i}": 1.0 for i in range(16)} | {f"b{i}": 0.0 for i in range(5)}
    conditions = {name: name[0] for name in scores}
    zero = dict.fromkeys(scores, 0.0)
    difference = paired(scores, zero, conditions)
    assert (difference.mean, difference.low, difference.high) == (0.5, 0.5, 0.5)
    assert mean(scores, conditions) == 0.5
    assert mean(scores) == 16 / 21


def test_the_page_names_degradations_and_says_synthetic(run, tmp_path):
    text = degradation_words(read_run(run))
    assert "test: noise25, Gaussian noise of σ 25; rain, synthetic rain streaks, none of the published" in text
    assert "haze, ready-made inputs" in text
    assert "MATLAB's bicubic ×4" in text
    html = write_report([run], tmp_path / "report.html").read_text()
    assert "rain (synthetic)" in html
    assert "within each condition first" in html
    assert html.count("niqe by condition") == 1
