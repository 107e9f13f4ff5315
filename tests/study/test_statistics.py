"""Intervals and tests of paired differences, by hand and against scipy."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from lossagent.errors import Refused
from lossagent.statistics import Paired, bootstrap, fewest, holm, paired, wilson

TEN = (0.31, 0.12, -0.05, 0.44, 0.27, 0.08, 0.19, -0.11, 0.35, 0.22)


def by_enumeration(values: tuple[float, ...]) -> float:
    """Share of sign patterns whose mean is as far from 0 as the one found."""
    signs = itertools.product((1, -1), repeat=len(values))
    sums = [abs(sum(s * v for s, v in zip(pattern, values, strict=True))) for pattern in signs]
    return float(np.mean([s >= abs(sum(values)) - 1e-12 for s in sums]))


def test_sign_flips_by_hand() -> None:
    # 2^3 patterns of (1, 2, 3): only +++ and --- reach |sum| = 6.
    assert paired((1.0, 2.0, 3.0)).p == 2 / 8
    # (1, 2, -3): every pattern reaches |sum| = 0.
    assert paired((1.0, 2.0, -3.0)).p == 1.0
    # Six of one sign: the two patterns of 64; the interval is the smallest and the largest difference.
    six = paired((1.0, 2.0, 3.0, 4.0, 5.0, 6.0))
    assert six.p == 2 / 64
    assert (six.low, six.mean, six.high) == (1.0, 3.5, 6.0)
    assert six.shown


def test_five_seeds_bound_nothing() -> None:
    five = paired((1.0, 1.1, 0.9, 1.2, 0.8))
    assert five.p == 2 / 32
    assert not five.bounded
    assert not five.shown
    assert fewest() == 6
    assert paired((1.0, 1.1, 0.9, 1.2, 0.8, 1.0)).shown


def test_permutation_agrees_with_scipy() -> None:
    found = stats.permutation_test(
        (np.array(TEN), np.zeros(10)),
        lambda x, y, axis: np.mean(x - y, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf,
    )
    assert paired(TEN).p == pytest.approx(found.pvalue, rel=1e-12)
    assert paired(TEN).p == pytest.approx(by_enumeration(TEN), rel=1e-12)


def test_t_agrees_with_scipy() -> None:
    other = np.linspace(4.0, 5.0, 10)
    found = stats.ttest_rel(other + np.array(TEN), other)
    ours = paired(TEN, method="t")
    assert ours.p == pytest.approx(found.pvalue, rel=1e-9)
    interval = found.confidence_interval(0.95)
    assert (ours.low, ours.high) == pytest.approx((interval.low, interval.high), rel=1e-9)


@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
def test_the_interval_is_what_the_test_does_not_refuse(level: float) -> None:
    found = paired(TEN, level=level)
    for end, outside in ((found.low, -1), (found.high, 1)):
        inside = paired(tuple(d - end + outside * 1e-6 for d in TEN), level=level).p
        beyond = paired(tuple(d - end - outside * 1e-6 for d in TEN), level=level).p
        assert beyond <= 1 - level < inside


def test_the_interval_holds_the_truth_as_often_as_it_says(rng: np.random.Generator) -> None:
    draws = rng.standard_t(3, size=(400, 8))
    held = [(one := paired(tuple(d))).low <= 0 <= one.high for d in draws]
    # 2^8 patterns: ranks 6 of 256 on either side, so 1 - 2 * 6 / 256 = 0.953.
    assert 0.92 <= np.mean(held) <= 0.99


def test_the_sampled_test_is_near_the_exact_one(rng: np.random.Generator) -> None:
    many = tuple(rng.normal(0.4, 1.0, 40))
    sampled, student = paired(many), paired(many, method="t")
    assert not sampled.exact
    assert sampled == paired(many)
    assert sampled.p == pytest.approx(student.p, abs=0.01)
    assert sampled.low == pytest.approx(student.low, abs=0.05)
    assert sampled.high == pytest.approx(student.high, abs=0.05)


def test_equal_differences() -> None:
    zero = paired((0.0,) * 6)
    assert (zero.p, zero.low, zero.high, zero.shown) == (1.0, 0.0, 0.0, False)
    assert paired((0.0,) * 6, method="t").p == 1.0
    same = paired((0.1,) * 6, method="t")
    assert same.low == pytest.approx(0.1)
    assert same.high == pytest.approx(0.1)


@pytest.mark.parametrize("two", [(0.1, 0.1), (7.12 - 7.02, 6.93 - 6.83), (0.0, 0.0)])
def test_two_equal_differences_say_nothing_by_students_t(two: tuple[float, float]) -> None:
    found = paired(two, method="t")
    assert (found.p, found.bounded, found.shown) == (1.0, False, False)


def test_a_p_of_a_twentieth_is_not_below_it() -> None:
    # 1 - 0.95 is 0.050000000000000044.
    assert not Paired(1.0, 0.5, 1.5, 0.05, 10).shown
    assert Paired(1.0, 0.5, 1.5, 0.0499, 10).shown


def test_a_family_of_tests_wants_more_seeds() -> None:
    # The smallest p of n seeds is 2^(1 - n), and Holm multiplies it by the size of the family.
    assert [fewest(family) for family in (1, 2, 4, 8)] == [6, 7, 8, 9]


def test_one_difference_says_nothing() -> None:
    for method in ("permutation", "t"):
        one = paired((3.0,), method=method)  # pyright: ignore[reportArgumentType]
        assert (one.mean, one.p, one.bounded) == (3.0, 1.0, False)


@pytest.mark.parametrize("bad", [(), (1.0, math.nan), (math.inf,)])
def test_what_is_no_difference_is_refused(bad: tuple[float, ...]) -> None:
    with pytest.raises(Refused, match="differences must be finite numbers"):
        paired(bad)
    with pytest.raises(Refused, match="level must lie between 0 and 1"):
        paired((1.0,), level=95.0)


def test_holm_by_hand() -> None:
    # Holm's steps: .01 x 4, .02 x 3, .03 x 2 (not below .06), .5 x 1; the order of the names stays.
    found = holm({"d": 0.5, "a": 0.01, "c": 0.03, "b": 0.02})
    assert found == pytest.approx({"d": 0.5, "a": 0.04, "c": 0.06, "b": 0.06})
    assert list(found) == ["d", "a", "c", "b"]
    assert holm({"a": 0.7, "b": 0.8}) == {"a": 1.0, "b": 1.0}
    assert holm({}) == {}


def test_wilson_by_hand() -> None:
    # Newcombe (1998), table I: 15 of 148 gives .0624 to .1605.
    assert wilson(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(5, 5)[1] == 1.0


def test_bootstrap_of_means(rng: np.random.Generator) -> None:
    rows = np.column_stack([rng.normal(0, 1, 50), rng.normal(5, 2, 50)])
    low, high = bootstrap(rows)
    for column in range(2):
        student = paired(tuple(rows[:, column]), method="t")
        assert low[column] == pytest.approx(student.low, abs=0.15)
        assert high[column] == pytest.approx(student.high, abs=0.15)
    assert np.isinf(bootstrap(rows[:1])[0]).all()
