"""Averages, marks and escapes of evaluation tables."""

from __future__ import annotations

import math

import pytest

from lossagent.errors import UnknownName
from lossagent.evaluation.protocols import PROTOCOLS, protocol
from lossagent.evaluation.rendering import latex, markdown, tex
from lossagent.evaluation.scores import ImageScore
from lossagent.evaluation.tables import Scores, condition_tables, cross_table, main_tables
from lossagent.metrics import create


def score(method, set_name, image, metric, value, condition="", reason=""):
    return ImageScore(
        method=method, set=set_name, image=image, metric=metric, value=value, condition=condition, reason=reason, key=""
    )


def gathered(images, metrics=("psnr_y", "niqe"), steered=None):
    facts = {name: create(name).facts for name in metrics}
    return Scores(
        images,
        facts,
        tuple(dict.fromkeys(s.method for s in images)),
        tuple(dict.fromkeys(s.set for s in images)),
        steered or {},
    )


def test_averages_are_means_within_conditions_then_over_them_then_over_sets():
    images = [score("a", "mixed", f"h{i}", "psnr_y", 10.0, "haze") for i in range(5)]
    images += [score("a", "mixed", "r0", "psnr_y", 40.0, "rain"), score("a", "plain", "x", "psnr_y", 35.0)]
    scores = gathered(images, ("psnr_y",))
    assert scores.cell("a", "mixed", "psnr_y").value == 25.0
    assert scores.average("a", "psnr_y").value == 30.0
    (table,) = condition_tables(scores)
    assert table.columns == ("haze", "rain", "Mean")
    assert [c.value for c in table.rows["a"]] == [10.0, 40.0, 25.0]


def test_best_follows_the_direction_and_the_digits_shown():
    images = [
        score(m, "s", "x", "niqe", v) for m, v in (("a", 4.001), ("b", 4.002), ("c", 5.0), ("d", 6.0), ("GT", 3.0))
    ]
    (table,) = main_tables(gathered(images, ("niqe",)))
    marks = {label: (cells[0].best, cells[0].second) for label, cells in table.rows.items()}
    assert marks == {
        "a": (True, False), "b": (True, False), "c": (False, True), "d": (False, False), "GT": (False, False),
    }  # fmt: skip


def test_a_missing_score_is_said_and_leaves_its_method_without_an_average():
    images = [score("a", "s", "x", "psnr_y", 30.0), score("a", "t", "y", "psnr_y", None, reason="too small")]
    images += [score("b", "s", "x", "psnr_y", 29.0), score("b", "t", "y", "psnr_y", 28.0)]
    (table,) = main_tables(gathered(images, ("psnr_y",)))
    assert [c.value for c in table.rows["a"]] == [30.0, None, None]
    assert "too small: a on t." in table.notes
    assert table.rows["b"][2].value == 28.5
    assert "n/a" in markdown([table], "x", [])


def test_a_set_without_references_takes_no_part_in_the_average():
    images = [score("a", "s", "x", "psnr_y", 30.0), score("a", "real", "y", "psnr_y", None, reason="no ground truth")]
    assert gathered(images, ("psnr_y",)).average("a", "psnr_y").value == 30.0


def test_identical_images_are_infinite():
    (table,) = main_tables(gathered([score("a", "s", "x", "psnr_y", math.inf)], ("psnr_y",)))
    assert "∞" in markdown([table], "x", [])
    assert r"$\infty$" in latex([table], [])


def test_cross_table_marks_what_was_steered():
    images = [score(m, "s", "x", k, v) for m in ("bicubic", "ours") for k, v in (("psnr_y", 30.0), ("niqe", 5.0))]
    table = cross_table(gathered(images, steered={"ours": ("niqe",)}))
    assert [c.steered for c in table.rows["ours (niqe)"]] == [False, True]
    assert "5.00**†" in markdown([table], "x", [])


def test_names_cannot_break_a_table():
    images = [score("a_b & 50% | <b>", "s$1", "x", "psnr_y", 30.0)]
    (table,) = main_tables(gathered(images, ("psnr_y",)))
    text = latex([table], [])
    assert r"a\_b \& 50\% \textbar{} \textless{}b\textgreater{} & 30.00 \\" in text
    assert r"s\$1" in text
    assert text.count(r"\begin") == text.count(r"\end") == 2
    row = next(line for line in markdown([table], "x", []).splitlines() if "30.00" in line)
    assert row.replace("\\|", "").count("|") == 3
    assert tex("\\") == r"\textbackslash{}"


def test_protocols_say_their_rules():
    classical = protocol("classical-sr")
    assert (classical.border_of("psnr_y", 4), classical.border_of("niqe", 4), classical.border_of("ssim", 3)) == (
        4,
        0,
        3,
    )
    assert protocol("all-in-one").border_of("psnr", 1) == 0
    assert protocol("real-sr").border_of("psnr", 4) == 0
    for one in PROTOCOLS.values():
        assert "SSIM: Gaussian 11x11, sigma 1.5" in one.sentence(4)
        assert one.facts(4)["ssim_window"] == one.ssim_window
    with pytest.raises(UnknownName, match="Did you mean 'real-sr'"):
        protocol("real_sr")
