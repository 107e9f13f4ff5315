"""Goal: utility, constraints, ranks."""

from __future__ import annotations

import math
import random

import pytest
from pydantic import ValidationError

from lossagent.errors import Refused
from lossagent.feedback import POOLED, Feedback
from lossagent.goal import Constraint, Goal, Target

NIQE = Target(metric="niqe", direction="lower", unit=0.1)
PSNR = Target(metric="psnr", direction="higher", unit=0.1, importance=2.0)


def told(niqe: float | None, psnr: float | None = 30.0) -> Feedback:
    return Feedback(scores={"niqe": {"a": niqe}, "psnr": {"a": psnr}})


def test_utility_is_importance_times_sign_times_change_over_unit() -> None:
    goal = Goal(targets=(NIQE, PSNR))
    assert goal.utility(told(4.5, 29.9), told(5.0, 30.0)) == pytest.approx(1.0 * 5.0 - 2.0 * 1.0)
    assert goal.utility(told(5.0), told(5.0)) == 0.0
    assert goal.utility(told(None), told(5.0)) is None


def test_a_goal_needs_a_target_or_a_wish() -> None:
    with pytest.raises(ValidationError, match="at least one target"):
        Goal()
    with pytest.raises(ValidationError, match="target once"):
        Goal(targets=(NIQE, NIQE))
    wish = Goal(wish="no plastic skin")
    assert not wish.has_utility
    assert wish.utility(told(1.0), told(2.0)) is None
    with pytest.raises(Refused, match="proxy metric"):
        wish.require_utility("rollback")


def test_a_constraint_has_one_side() -> None:
    for wrong in ({}, {"at_least": 1.0, "at_most": 2.0}):
        with pytest.raises(ValidationError, match="exactly one"):
            Constraint.model_validate({"metric": "psnr", **wrong})


def test_a_limit_relative_to_the_start_is_an_offset() -> None:
    goal = Goal(targets=(NIQE,), constraints=(Constraint(metric="psnr", at_least=-0.3, relative_to="start"),))
    assert goal.violation(told(4.0, 29.8), told(5.0, 30.0)) == 0.0
    assert goal.violation(told(4.0, 29.5), told(5.0, 30.0)) == pytest.approx(0.2)
    assert math.isinf(goal.violation(told(4.0, None), told(5.0, 30.0)))


def test_an_absolute_limit_and_one_relative_to_the_fixed_run() -> None:
    most = Goal(targets=(NIQE,), constraints=(Constraint(metric="psnr", at_most=31.0),))
    assert most.violation(told(4.0, 32.0), told(5.0)) == pytest.approx(1.0)
    fixed = Goal(targets=(NIQE,), constraints=(Constraint(metric="psnr", at_least=0.0, relative_to="fixed"),))
    assert fixed.violation(told(4.0, 28.0), told(5.0), fixed=told(5.0, 29.0)) == pytest.approx(1.0)
    with pytest.raises(Refused, match="fixed run"):
        fixed.violation(told(4.0), told(5.0))


def test_feasible_comes_before_better_and_a_missing_score_is_the_worst() -> None:
    goal = Goal(targets=(NIQE,), constraints=(Constraint(metric="psnr", at_least=29.0),))
    start = told(5.0)
    better_but_infeasible, feasible, missing = told(3.0, 28.0), told(4.9, 29.5), told(None, 29.5)
    ranked = sorted((better_but_infeasible, missing, feasible), key=lambda f: goal.rank(f, start))
    assert ranked == [better_but_infeasible, missing, feasible]


# -- images without a score --------------------------------------------------------------------------------

HARD = {"a": 2.0, "b": 4.0, "c": 6.0, "d": 8.0}


def scored(values: dict[str, float | None], **conditions: str) -> Feedback:
    return Feedback(scores={"niqe": values}, conditions=conditions)


@pytest.mark.parametrize("gap", [None, math.nan, "absent"])
def test_images_that_a_metric_failed_on_make_no_state_better(gap: float | str | None) -> None:
    goal, start = Goal(targets=(NIQE,)), scored({**HARD})
    whole = scored({image: score - 0.2 for image, score in HARD.items()})
    values: dict[str, float | None] = {"a": 1.9, "b": 3.9}  # by the means alone better by 2 points of NIQE
    if not isinstance(gap, str):
        values |= {"c": gap, "d": gap}
    part = scored(values)
    assert goal.utility(part, start) == pytest.approx(1.0)
    assert goal.rank(part, start) < goal.rank(whole, start)
    # The start may lack images, too: what only the state has a score of says nothing of a change.
    assert goal.utility(whole, part) == pytest.approx(1.0)


def test_with_fewer_than_half_of_the_start_s_images_the_utility_is_missing() -> None:
    goal, start = Goal(targets=(NIQE,)), scored({**HARD})
    assert goal.utility(scored({"a": 1.0, "b": None, "c": None, "d": None}), start) is None
    assert goal.utility(scored({"a": 1.0, "b": 3.0}), start) == pytest.approx(10.0)
    assert goal.utility(scored({"e": 1.0}), start) is None


def test_common_images_are_averaged_within_conditions_first() -> None:
    rain = {"c": "rain", "d": "rain"}
    goal, start = Goal(targets=(NIQE,)), scored({**HARD}, **rain)
    part = scored({"a": 1.0, "b": 3.0, "c": 5.7, "d": None}, **rain)
    assert goal.utility(part, start) == pytest.approx((10.0 + 3.0) / 2)


def test_a_score_of_the_whole_set_is_not_paired() -> None:
    goal = Goal(targets=(NIQE,))
    assert goal.utility(scored({POOLED: 4.0}), scored({POOLED: 5.0})) == pytest.approx(10.0)
    assert goal.utility(scored({POOLED: 4.0}), scored({**HARD})) == pytest.approx(10.0)


def test_without_a_missing_image_the_utility_is_the_difference_of_means_to_the_last_bit() -> None:
    generator = random.Random(0)
    for _ in range(20):
        now, before = (scored({str(i): generator.uniform(1, 9) for i in range(7)}) for _ in range(2))
        a, b = now.mean("niqe"), before.mean("niqe")
        assert a is not None
        assert b is not None
        assert Goal(targets=(NIQE,)).utility(now, before) == -(a - b) / 0.1
