"""Ridge regression by groups of columns, and its cross-validation."""

from __future__ import annotations

import numpy as np
import pytest

from lossagent.simulator.noise_model import shared_part, spread_and_correlation
from lossagent.simulator.regression import Design, cross_validated, ridge


def design(rng: np.random.Generator, n: int = 200, limits: dict[int, tuple[float, float]] | None = None) -> Design:
    columns = np.column_stack([np.ones(n), rng.normal(size=n), rng.normal(2.0, 3.0, size=n), rng.normal(size=n)])
    return Design(columns, np.array([0, 0, 1, 2]), limits or {})


def test_without_penalty_it_is_least_squares(rng: np.random.Generator) -> None:
    made = design(rng, n=5000)
    target = made.columns @ np.array([0.5, -1.0, 0.3, 2.0]) + rng.normal(0, 0.1, 5000)
    expected = np.linalg.lstsq(made.columns, target, rcond=None)[0]
    assert ridge(made, target, 1e-9, 1.0) == pytest.approx(expected, abs=1e-3)


def test_a_penalty_counts_in_observations_without_an_effect(rng: np.random.Generator) -> None:
    made = design(rng)
    target = made.columns @ np.array([0.5, 0.0, 0.3, 0.0])
    free, shrunk = ridge(made, target, 1e-9, 1.0)[2], ridge(made, target, 200.0, 1.0)[2]
    assert free == pytest.approx(0.3)
    assert shrunk == pytest.approx(0.15, abs=0.02)


def test_the_ratio_shrinks_quadratic_columns_more(rng: np.random.Generator) -> None:
    made = design(rng)
    target = made.columns @ np.array([0.0, 0.0, 0.3, 2.0])
    assert abs(ridge(made, target, 50.0, 10.0)[3]) < abs(ridge(made, target, 50.0, 1.0)[3]) < 2.0


def test_coefficients_keep_their_limits_and_the_others_make_up_for_it(rng: np.random.Generator) -> None:
    made = design(rng, limits={1: (-0.2, 0.0)})
    target = made.columns @ np.array([0.5, -1.0, 0.3, 2.0])
    held = ridge(made, target, 1e-6, 1.0)
    assert held[1] == -0.2
    rest = target + 0.2 * made.columns[:, 1]
    others = np.linalg.lstsq(made.columns[:, [0, 2, 3]], rest, rcond=None)[0]
    assert held[[0, 2, 3]] == pytest.approx(others, abs=1e-4)


def test_a_column_that_never_varies_has_no_influence(rng: np.random.Generator) -> None:
    made = design(rng)
    columns = made.columns.copy()
    columns[:, 2] = 4.0
    target = 1.0 + columns[:, 1]
    assert ridge(Design(columns, made.group, {}), target, 1.0, 1.0)[2] == 0.0


def test_cross_validation_leaves_out_whole_runs(rng: np.random.Generator) -> None:
    # A column that names the run predicts nothing of another run: residuals must show that.
    runs = np.repeat(np.arange(10), 20)
    level = rng.normal(size=10)[runs]
    columns = np.column_stack([np.ones(200), rng.normal(size=200), level, rng.normal(size=200)])
    target = rng.normal(size=10)[runs]
    found = cross_validated(Design(columns, np.array([0, 0, 1, 2]), {}), target, runs)
    assert np.sum(found.residuals**2) > 0.8 * np.sum((target - target.mean()) ** 2)


def test_correlations_are_those_of_the_residuals_though_some_are_missing(rng: np.random.Generator) -> None:
    factor = np.array([[1.0, 0.0], [0.8, 0.6]])
    residuals = rng.normal(size=(4000, 2)) @ factor.T * np.array([2.0, 0.1])
    residuals[::3, 1] = np.nan
    spread, correlation = spread_and_correlation(residuals)
    assert spread == pytest.approx([2.0, 0.1], rel=0.05)
    assert correlation[0, 1] == pytest.approx(0.8 * 0.9, abs=0.05)  # shrunk by a tenth
    assert np.all(np.linalg.eigvalsh(correlation) > 0)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
def test_what_stages_on_the_same_data_share_is_found(rng: np.random.Generator, share: float) -> None:
    window = np.repeat(np.arange(500), 4)
    common = rng.normal(size=500)[window]
    residuals = (np.sqrt(share) * common + np.sqrt(1 - share) * rng.normal(size=2000))[:, None]
    found, pairs = shared_part(residuals, np.ones(1), window)
    assert found == pytest.approx(share, abs=0.06)
    assert pairs == 500 * 6


def test_nothing_is_shared_where_no_two_stages_have_the_same_data(rng: np.random.Generator) -> None:
    assert shared_part(rng.normal(size=(50, 2)), np.ones(2), np.arange(50)) == (0.0, 0)
