"""The paired bootstrap over images."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lossagent.errors import Refused
from lossagent.feedback import Feedback
from lossagent.noise import paired_change


def scores(values: list[float | None], conditions: dict[str, str] | None = None) -> Feedback:
    named = {f"i{k}": v for k, v in enumerate(values)}
    return Feedback(scores={"m": named}, conditions=conditions or {})


def test_images_that_differ_widely_cancel_when_the_change_is_the_same() -> None:
    hard = [float(10 * k) for k in range(10)]
    change = paired_change(scores([x - 0.1 for x in hard]), scores([*hard]), "m", None, seed=0)
    assert change.estimable
    assert change.exceeds
    assert change.mean == pytest.approx(-0.1)
    assert change.floor == pytest.approx(0.0, abs=1e-9)


def test_a_mean_within_the_spread_of_the_changes_is_noise() -> None:
    parent = scores([5.0] * 10)
    child = scores([5.0 + (1.0 if k % 2 else -0.9) for k in range(10)])
    change = paired_change(child, parent, "m", None, seed=0)
    assert change.exceeds is False
    assert change.low is not None
    assert change.high is not None
    assert change.low < 0 < change.high


def test_the_interval_has_the_width_of_the_standard_error() -> None:
    generator = np.random.default_rng(1)
    moved = generator.normal(0.3, 1.0, size=400)
    change = paired_change(scores(list(moved)), scores([0.0] * 400), "m", None, seed=0, resamples=4000)
    assert change.floor == pytest.approx(1.96 * moved.std() / 20, rel=0.05)


def test_the_same_arguments_give_the_same_interval_whatever_the_order_of_images() -> None:
    child, parent = [math.sqrt(k) for k in range(9)], [1.0] * 9
    first = paired_change(scores(child), scores(parent), "m", None, seed=3)
    turned = Feedback(scores={"m": dict(reversed(scores(child).scores["m"].items()))})
    assert paired_change(turned, scores(parent), "m", None, seed=3) == first
    assert paired_change(scores(child), scores(parent), "m", None, seed=4) != first


@pytest.mark.parametrize(("tolerance", "exceeds"), [(None, None), (0.2, True), (0.5, False)])
def test_with_fewer_than_eight_images_the_tolerance_stands_in(tolerance: float | None, exceeds: bool | None) -> None:
    change = paired_change(scores([1.3] * 7), scores([1.0] * 7), "m", tolerance, seed=0)
    assert not change.estimable
    assert change.n == 7
    assert change.mean == pytest.approx(0.3)
    assert change.exceeds is exceeds
    assert change.floor == tolerance


def test_only_images_with_both_scores_count() -> None:
    child = scores([1.0, None, float("nan"), 2.0])
    parent = scores([0.0, 0.0, 0.0, None])
    change = paired_change(child, parent, "m", None, seed=0)
    assert (change.n, change.mean) == (1, 1.0)
    nothing = paired_change(child, Feedback(), "m", 0.1, seed=0)
    assert (nothing.n, nothing.mean, nothing.exceeds) == (0, None, None)


def test_conditions_weigh_the_same_however_many_images_they_have() -> None:
    conditions = {f"i{k}": "haze" if k < 5 else "rain" for k in range(15)}
    child = scores([1.0] * 5 + [0.0] * 10, conditions)
    change = paired_change(child, scores([0.0] * 15), "m", None, seed=0)
    assert change.mean == pytest.approx(0.5)
    assert change.low == pytest.approx(0.5)  # no variation within a condition


def test_a_condition_of_a_few_images_gives_no_interval() -> None:
    conditions = {f"i{k}": f"c{k // 2}" for k in range(10)}
    change = paired_change(scores([float(k) for k in range(10)], conditions), scores([0.0] * 10), "m", 0.1, seed=0)
    assert (change.estimable, change.low, change.high) == (False, None, None)
    assert change.exceeds is True  # by the tolerance


@pytest.mark.parametrize("sizes", [(10,), (8, 8, 8)])
def test_pure_noise_rarely_exceeds_itself(sizes: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    count = sum(sizes)
    conditions = {f"i{k}": f"c{n}" for n, k in zip(np.repeat(range(len(sizes)), sizes), range(count), strict=True)}
    found = 0
    for seed in range(300):
        child = scores([float(v) for v in rng.standard_normal(count)], conditions)
        found += bool(paired_change(child, scores([0.0] * count), "m", None, seed=seed, resamples=400).exceeds)
    assert found / 300 < 0.115  # nominal: 0.05; the percentile interval of few images is known to be short


def test_bad_settings_are_refused() -> None:
    with pytest.raises(Refused, match="tolerance"):
        paired_change(scores([1.0]), scores([1.0]), "m", -1.0, seed=0)
    with pytest.raises(Refused, match="resamples"):
        paired_change(scores([1.0]), scores([1.0]), "m", None, seed=0, resamples=0)
