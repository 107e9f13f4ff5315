"""The studies of the paper's tables and figures: complete, at equal budget, and they run."""

from __future__ import annotations

from pathlib import Path

import pytest

from command_line import command
from lossagent import recipes
from lossagent.study.outcome import read_outcomes
from lossagent.study.plan import Study

SCALES = ("paper", "small", "smoke")
ALL = [f"table-{n}" for n in range(2, 12)] + ["figure-3", "figure-4", "figure-5"]


def study(name: str, scale: str, folder: Path) -> Study:
    file = folder / "study.yaml"
    file.write_text(recipes.text(name, scale), encoding="utf-8")
    return Study.load(file)


def test_every_table_and_figure_has_one() -> None:
    assert sorted(recipes.studies()) == sorted(ALL)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", ALL)
def test_they_are_complete_and_of_equal_budget(name: str, scale: str, tmp_path: Path) -> None:
    found = study(name, scale, tmp_path)
    budgets = {e.training.stages * e.training.iterations for e in (found.experiment_of(job) for job in found.jobs)}
    assert len(budgets) == 1
    assert found.name == f"{name}-{scale}"


def test_the_papers_scale_is_the_papers(tmp_path: Path) -> None:
    totals = {"table-2": 100_000, "table-3": 200_000, "table-4": 100_000}
    for name, total in totals.items():
        found = study(name, "paper", tmp_path)
        assert set(found.objectives) == {"niqe", "maniqa", "clipiqa", "qalign"}
        training = found.experiment_of(found.jobs[0]).training
        assert training.stages * training.iterations == total
    lengths = study("table-10", "paper", tmp_path)
    assert {lengths.experiment_of(j).training.iterations for j in lengths.jobs} == {2500, 5000, 10000}


def test_ablations_differ_from_the_whole_in_one_setting(tmp_path: Path) -> None:
    for name, arms in {
        "table-7": ("with", "without"),
        "table-8": ("whole", "last-two"),
        "table-9": ("example", "no-example"),
    }.items():
        found = study(name, "paper", tmp_path)
        one, other = (
            next(found.experiment_of(j).agent.model_dump() for j in found.jobs if j.arm == arm) for arm in arms
        )
        assert len([key for key in one if one[key] != other[key]]) == 1


def assert_it_runs(name: str, folder: Path) -> None:
    file = folder / "study.yaml"
    file.write_text(recipes.text(name, "smoke"), encoding="utf-8")
    done = command("compare", str(file), "--out", str(folder / "out"), "--workers", "1")
    assert done.status == 0, done.err
    outcomes = read_outcomes(folder / "out")
    assert len(outcomes) == len(Study.load(file).jobs)
    assert (folder / "out" / "page.html").exists()


def test_a_smoke_study_runs_from_its_recipe_to_its_page(tmp_path: Path) -> None:
    assert_it_runs("figure-5", tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in ALL if name != "figure-5"])
def test_every_smoke_study_runs(name: str, tmp_path: Path) -> None:
    assert_it_runs(name, tmp_path)
