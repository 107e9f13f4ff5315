"""Numbers of the page: means, paired differences, intervals, places, time axis, crops."""

from __future__ import annotations

import io
import json
import re
import shutil

import numpy as np
import pytest
from make_run import make_run
from PIL import Image

from lossagent.report.costs import clock, costs_of
from lossagent.report.crops import enlarged, windows
from lossagent.report.figures.losses import smoothed
from lossagent.report.gaming import findings
from lossagent.report.naming import agent_words, is_fixed, metrics_of, styles_of
from lossagent.report.numbers import compact, digits, mean, paired, plain, signed
from lossagent.report.pictures import Shown, Version, jpeg, shown_images
from lossagent.report.reading import read_run
from lossagent.report.tables import set_tables
from lossagent.report.timeline import timeline


@pytest.fixture(scope="module")
def runs(made):
    return tuple(read_run(path) for path in made.runs)


def tables(runs, intervals=True):
    return set_tables(runs, styles_of(runs), metrics_of(runs), intervals=intervals)


def test_table_holds_the_means_of_the_evaluation(made, runs):
    stored = json.loads((made.runs[0] / "evaluation.json").read_text())["sets"]
    for table in tables(runs):
        for label, row_of in (("start", lambda r: r.kind == "start"), ("selected", lambda r: r.reported)):
            row = next(r for r in table.rows if row_of(r))
            for metric, cell in zip(table.metrics, row.cells, strict=True):
                values = list(stored[table.name]["rows"][label]["scores"][metric.name].values())
                assert float(cell.value.replace("−", "-")) == pytest.approx(np.mean(values), abs=0.006)
                assert f">{cell.value}<" in made.html


def test_differences_are_paired_means_with_intervals_around_them(runs):
    test = tables(runs)[0]
    assert test.name == "test"
    row = next(r for r in test.rows if r.reported)
    for cell in row.cells:
        for versus in (cell.start, cell.fixed):
            assert versus is not None
            low, high = (float(x.replace("−", "-")) for x in re.findall(r"[+−]?[\d.]+", versus.interval))
            assert low <= float(versus.change.replace("−", "-")) <= high
    assert row.cells[0].start.verdict == "gain"
    assert row.cells[1].start.verdict == "setback"


def test_fixed_at_the_same_depth_stands_beside(runs):
    feedback = tables(runs)[-1]
    assert feedback.name == "feedback"
    deep = next(r for r in feedback.rows if r.label.endswith("same depth"))
    assert deep.note.startswith("S7, depth 7")
    selected = next(r for r in feedback.rows if r.reported)
    assert selected.note == "S8, depth 7, 760 iterations of 860 spent"
    assert selected.cells[0].depth is not None


def test_few_images_have_no_interval(tmp_path):
    runs = tuple(read_run(make_run(tmp_path / k, k, images=3, pictures=False)) for k in ("llm", "fixed"))
    row = next(r for r in tables(runs)[-1].rows if r.reported)
    assert row.cells[0].start.interval == "not estimable (3 images)"
    assert row.cells[0].start.verdict == ""
    silent = next(r for r in tables(runs, intervals=False)[-1].rows if r.reported)
    assert silent.cells[0].start.interval == ""


def test_paired_difference_leaves_out_what_is_missing():
    a = {f"i{k}": float(k) for k in range(10)} | {"x": None, "y": float("inf")}
    b = {f"i{k}": float(k) - 0.5 for k in range(10)} | {"x": 1.0, "y": 1.0, "z": 2.0}
    difference = paired(a, b)
    assert (difference.mean, difference.images) == (0.5, 10)
    assert (difference.low, difference.high) == (0.5, 0.5)
    assert difference.verdict("higher") == "gain"
    assert difference.verdict("lower") == "setback"
    assert paired({"a": 1.0}, {"b": 1.0}) is None
    assert mean({"a": None, "b": float("nan")}) is None


def test_interval_covers_the_true_mean_about_as_often_as_it_says(rng):
    hits = 0
    for trial in range(200):
        values = rng.normal(1.0, 1.0, 30)
        d = paired({str(i): v for i, v in enumerate(values)}, {str(i): 0.0 for i in range(30)}, seed=trial)
        hits += d.low <= 1.0 <= d.high
    assert 0.88 <= hits / 200 <= 0.99


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(27.512, 0.1, "27.51"), (0.31234, 0.01, "0.312"), (-1.5, 0.1, "−1.50"), (71.25, 1.0, "71.2")],
)
def test_places_follow_the_unit(value, unit, text):
    assert plain(value, digits(unit, value)) == text


def test_signs_and_weights():
    assert [signed(x, 2) for x in (-0.001, 0.5, -0.5)] == ["0.00", "+0.50", "−0.50"]
    assert [compact(x) for x in (1.0, 0.01, 1e-6, 123.456)] == ["1", "0.01", "1e−6", "123.5"]
    assert [clock(x) for x in (0.44, 38.0, 372.0, 11100.0, None)] == [
        "0.4 s",
        "38 s",
        "6 min 12 s",
        "3 h 05 min",
        "not recorded",
    ]


def test_rejected_stages_keep_their_place_on_the_axis(runs):
    axis = timeline(runs[0])
    assert axis.end[0] == 60  # warm-up counts
    assert axis.total == 860
    assert [s for s in range(9) if axis.rejected(s)] == [4]
    assert (axis.begin[5], axis.end[5]) == (460, 560)
    cost = costs_of(runs, styles_of(runs))[0]
    assert (cost.iterations, cost.rejected, cost.questions, cost.unusable) == (860, 100, 10, 4)
    assert cost.checkpoints == pytest.approx(3.2)


def test_runs_are_named_and_coloured_by_what_they_are(runs):
    assert [agent_words(r) for r in runs] == ["llm with rollback", "fixed", "random with rollback"]
    assert [is_fixed(r) for r in runs] == [False, True, False]
    swapped = styles_of((runs[0], runs[2], runs[1]))
    assert swapped[2].colour == styles_of(runs)[1].colour
    assert len({s.colour for s in swapped}) == 3


def test_gaming_findings_state_their_figures(runs, tmp_path):
    by_level: dict[str, str] = {}
    for one in findings(runs[0], metrics_of(runs)):
        by_level[one.level] = by_level.get(one.level, "") + one.text + str(one.figures)
    assert "psnr fell" in by_level["caution"]
    assert "lattice_peak rose" in by_level["alarm"]
    assert "a regular grid may be forming" in by_level["alarm"]
    assert "Blurred noise" in by_level["caution"]
    assert "stays short of its ceiling" in by_level["clear"]
    beyond = read_run(make_run(tmp_path / "beyond", beyond=True, pictures=False))
    first = findings(beyond, metrics_of((beyond,)))[0]
    assert first.level == "alarm"
    assert [name for name, _ in first.figures] == ["test", "selection", "feedback"]


def test_crops_lie_where_the_versions_differ_and_are_not_interpolated(rng):
    base = rng.integers(0, 255, (120, 160, 3), dtype=np.uint8)
    changed = base.copy()
    changed[80:100, 100:130] = 255 - changed[80:100, 100:130]
    shown = Shown("x", "test", (Version("s", "#000000", "start", base), Version("r", "#000000", "reported", changed)))
    (top, left, side), (other_top, other_left, _) = windows(shown, 2, side=40)
    assert top <= 80
    assert top + side >= 100
    assert left <= 100
    assert left + side >= 130
    assert abs(other_top - top) >= side or abs(other_left - left) >= side
    big = enlarged(shown.versions[1], (top, left, side), zoom=4)
    assert big.shape == (160, 160, 3)
    assert np.array_equal(big[::4, ::4], changed[top : top + side, left : left + side])
    assert np.array_equal(big[::4], big[3::4])
    assert len(windows(shown, 2, side=200)) == 1  # an image that is smaller than a window


def test_versions_stand_in_order_and_prefer_test_images(runs):
    images = shown_images(runs, styles_of(runs))
    assert {i.origin for i in images} == {"test"}
    assert [v.role for v in images[0].versions] == ["start", "fixed", "agent", "reported", "truth"]


def test_smoothing_keeps_a_constant_and_the_length():
    assert np.allclose(smoothed(np.full(50, 3.0)), 3.0)
    assert len(smoothed(np.arange(7.0))) == 7
    assert smoothed(np.array([2.0]))[0] == 2.0


def test_a_set_that_shares_photographs_is_shown_without_them_too(tmp_path):
    run = make_run(tmp_path / "run", pictures=False)
    stored = json.loads((run / "evaluation.json").read_text())
    stored["sets"]["test"]["also_in"] = {"test00": "feedback"}
    (run / "evaluation.json").write_text(json.dumps(stored))
    first, second = tables((read_run(run),))[:2]
    assert (first.name, first.images) == ("test", 20)
    assert (second.name, second.images) == ("test, without shared photographs", 19)
    assert second.purpose == "never used for a choice"
    assert first.rows[0].cells[0].value != second.rows[0].cells[0].value


def test_a_fixed_state_evaluated_at_the_depth_of_the_selected_one_stands_beside(made, tmp_path):
    stored = json.loads((made.runs[1] / "evaluation.json").read_text())
    for one in stored["sets"].values():
        scores = {m: {i: (v or 0) + 1 for i, v in s.items()} for m, s in one["rows"]["start"]["scores"].items()}
        one["rows"]["depth 7"] = {"state": 7, "depth": 7, "scores": scores}
        one["rows"]["depth 8"] = one["rows"]["last"]
    fixed = shutil.copytree(made.runs[1], tmp_path / "fixed")
    (fixed / "evaluation.json").write_text(json.dumps(stored))
    both = (read_run(made.runs[0]), read_run(fixed))
    test = tables(both)[0]
    assert [r.label for r in test.rows if r.kind == "fixed"] == [
        "fixed weights, selected\u00a0=\u00a0last",
        "fixed weights, depth 7",
    ]
    assert next(r for r in test.rows if r.reported).cells[0].depth is not None


def test_noise_is_shown_like_any_image(rng):
    noise = rng.integers(0, 256, (256, 256, 3), dtype=np.uint8)
    with Image.open(io.BytesIO(jpeg(noise, 200))) as shown:
        assert shown.size == (200, 200)
    with Image.open(io.BytesIO(jpeg(noise, 420))) as shown:  # larger than one byte a pixel
        assert np.abs(np.asarray(shown, dtype=int) - noise).mean() < 10
