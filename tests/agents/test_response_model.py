"""The response model: its posterior in closed form, what it learns from, and what it says to others."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from agents.trees import GOAL, IMAGES, change_state, grow, line, niqe, seen, weights
from lossagent.agents import View
from lossagent.agents.respond.estimates import estimates, predicted, proposals
from lossagent.agents.respond.features import EARLY, UNIT, Features
from lossagent.agents.respond.fitting import FIXED, Prior, fitted
from lossagent.agents.respond.model import Posterior
from lossagent.agents.respond.responses import Quantity, responses
from lossagent.errors import Refused
from lossagent.feedback import Feedback
from lossagent.goal import Constraint, Goal, Target
from lossagent.records import Evidence, StageReport
from lossagent.trajectory import Trajectory
from lossagent.weights import Bounds, Weights

W = weights(1.0, 0.1, 0.01)
GAN = [weights(1.0, 0.1, 0.01 * factor) for factor in (1, 2, 4, 8, 4, 2)]


def prior(p: int, sd: float = 1.0) -> Posterior:
    return Posterior(np.zeros(p), np.eye(p) / sd**2, 2.0, 3.0)


def answering(score: Callable[[float], float]) -> Trajectory:
    """A path on which gan alone is moved, by octaves; the change of each stage is a function of them."""
    stages, level = [], 7.0
    for i, w in enumerate(GAN):
        level -= 0.1 * score(math.log2(w["gan"] / 0.01))
        stages.append((i, w, niqe(level)))
    return grow(stages)


def test_the_posterior_mean_is_the_ridge_solution(rng: np.random.Generator) -> None:
    features, values = rng.normal(size=(9, 3)), rng.normal(size=9)
    counts = rng.uniform(0.2, 1.0, 9)
    posterior = prior(3, sd=0.7).updated(features, values, counts)
    # Ridge regression as least squares with one more row for each coefficient.
    rows = np.vstack([features * np.sqrt(counts)[:, None], np.eye(3) / 0.7])
    ridge = np.linalg.lstsq(rows, np.concatenate([values * np.sqrt(counts), np.zeros(3)]))[0]
    assert posterior.mean == pytest.approx(ridge)


def test_the_posterior_of_one_coefficient_by_hand() -> None:
    # Two observations, 2 and 4, of a constant with prior N(0, s^2), s^2 ~ InvGamma(2, 3).
    posterior = prior(1).updated(np.ones((2, 1)), np.array([2.0, 4.0]), np.ones(2))
    assert posterior.mean[0] == pytest.approx(6 / 3)
    assert posterior.precision[0, 0] == pytest.approx(3.0)
    assert posterior.shape == pytest.approx(2 + 2 / 2)
    assert posterior.rate == pytest.approx(3 + (4 + 16 - 3 * 2**2) / 2)
    assert posterior.noise == pytest.approx(math.sqrt(7 / 2))
    assert posterior.doubt(np.ones((1, 1)))[0] == pytest.approx(math.sqrt(7 / 2 / 3))
    assert posterior.hoped(np.ones((1, 1)), 2.0)[0] == pytest.approx(2 + 2 * math.sqrt(7 / 2 / 3))


def test_observations_one_by_one_are_observations_at_once(rng: np.random.Generator) -> None:
    features, values, counts = rng.normal(size=(6, 4)), rng.normal(size=6), rng.uniform(0.1, 1.0, 6)
    at_once, by_one = prior(4).updated(features, values, counts), prior(4)
    for i in range(6):
        by_one = by_one.updated(features[i : i + 1], values[i : i + 1], counts[i : i + 1])
    assert by_one.mean == pytest.approx(at_once.mean)
    assert by_one.precision == pytest.approx(at_once.precision)
    assert (by_one.shape, by_one.rate) == (pytest.approx(at_once.shape), pytest.approx(at_once.rate))


def test_an_observation_that_counts_twice_is_two(rng: np.random.Generator) -> None:
    features, values = rng.normal(size=(1, 2)), rng.normal(size=1)
    twice = prior(2).updated(features, values, np.array([2.0]))
    both = prior(2).updated(np.repeat(features, 2, axis=0), np.repeat(values, 2), np.ones(2))
    assert twice.mean == pytest.approx(both.mean)
    assert (twice.shape, twice.rate) == (pytest.approx(both.shape), pytest.approx(both.rate))


def test_draws_have_the_mean_and_the_spread_of_the_posterior(rng: np.random.Generator) -> None:
    posterior = prior(2).updated(rng.normal(size=(30, 2)), rng.normal(size=30), np.ones(30))
    draws = np.array([posterior.drawn(rng) for _ in range(4000)])
    assert draws.mean(axis=0) == pytest.approx(posterior.mean, abs=0.02)
    assert draws.std(axis=0) == pytest.approx(posterior.doubt(np.eye(2)), rel=0.1)


def test_a_response_is_the_change_paired_by_image_in_points() -> None:
    first, second = responses(seen(line(6.0, 5.5)))
    assert (first.state, first.depth, first.base, first.change) == (1, 1, 0.0, pytest.approx(10.0))
    assert (second.state, second.depth, second.base) == (2, 2, pytest.approx(10.0))
    assert second.change == pytest.approx(5.0)
    assert second.ratios == pytest.approx((math.log(0.12), math.log(0.013)))
    assert second.variance == pytest.approx(0.0)


def test_its_variance_is_that_of_the_mean_over_images_within_conditions() -> None:
    half = len(IMAGES) // 2
    conditions = {n: "rain" if i < half else "haze" for i, n in enumerate(IMAGES)}
    changes = {n: 0.1 * (1.0 if i % 2 else 2.0) for i, n in enumerate(IMAGES)}
    child = Feedback(
        scores={"niqe": {n: (niqe(7.0).scores["niqe"][n] or 0.0) - changes[n] for n in IMAGES}}, conditions=conditions
    )
    (found,) = responses(seen(grow([(0, W, child)])))
    groups = [[10 * changes[n] for n in IMAGES if conditions[n] == c] for c in ("rain", "haze")]
    assert found.change == pytest.approx(np.mean([np.mean(g) for g in groups]))
    assert found.variance == pytest.approx(sum(np.var(g, ddof=1) / half for g in groups) / 4)


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_stages_without_a_finite_score_are_left_out(value: float | None) -> None:
    view = seen(line(6.0, 5.5, value, 5.0))
    assert [r.state for r in responses(view)] == [1, 2]  # neither the third nor what was trained from it
    alone = replace(view, trajectory=line(6.0, 5.5), head=view.trajectory.states[2])
    assert [r.change for r in responses(view)] == [r.change for r in responses(alone)]


def test_stages_under_other_losses_are_left_out() -> None:
    without = weights(1.0, 0.1, 0.0)
    trajectory = grow([(0, W, niqe(6.0)), (1, without, niqe(5.0)), (2, W, niqe(4.0))])
    assert [r.state for r in responses(seen(trajectory))] == [1, 3]


def test_without_feedback_on_the_start_nothing_is_learned() -> None:
    view = seen(change_state(line(6.0, 5.5), 0, feedback=None))
    assert responses(view) == ()
    assert all(effect.stages == 0 for effect in estimates(view))


def test_rows_are_what_the_docstring_says() -> None:
    norms = {"l1": 0.0025, "perceptual": 0.25, "gan": 0.025}
    trajectory = grow([(0, W, niqe(6.0))])
    report = StageReport(iterations=100, evidence=Evidence(image_norms=norms))
    features = Features.of(seen(change_state(trajectory, 1, report=report)))
    ratios = features.stack([weights(1.0, 0.1, 0.04)])
    (row,) = features.rows(ratios, 3.0, 2.0)
    shares = [np.array([0.0025, 0.025, gan * 0.025]) for gan in (0.01, 0.04)]
    share = shares[1] / shares[1].sum() - shares[0] / shares[0].sum()
    assert row == pytest.approx([1, 3, math.exp(-1 / EARLY), 0, 1, 0, 1, *share, *share**2])
    assert math.exp(UNIT) == pytest.approx(4.0)


@pytest.mark.parametrize("norm", [0.0, math.nan, math.inf])
def test_without_all_gradient_norms_there_are_no_shares(norm: float) -> None:
    report = StageReport(iterations=100, evidence=Evidence(image_norms={"l1": 1.0, "perceptual": 2.0, "gan": norm}))
    features = Features.of(seen(change_state(grow([(0, W, niqe(6.0))]), 1, report=report)))
    assert features.on == ()
    assert features.rows(features.centre[None], 0.0, 1.0).shape == (1, 3 + 2 * 2)


def test_the_fit_is_the_update_of_the_prior_with_older_stages_counting_less() -> None:
    view = seen(line(6.0, 5.5, 5.8))
    quantity = Quantity(view.goal)
    fit = fitted(view, quantity, forget=0.5)
    found = responses(view)
    rows = np.vstack([fit.features.rows(np.array([r.ratios]), r.base / fit.noise, float(r.depth)) for r in found])
    changes = np.array([r.change for r in found]) / fit.noise
    by_hand = Prior().over(fit.features).updated(rows, changes, np.array([0.25, 0.5, 1.0]))
    assert fit.posterior.mean == pytest.approx(by_hand.mean)
    assert fit.posterior.rate == pytest.approx(by_hand.rate)


def test_what_was_forgotten_does_not_count() -> None:
    """gan helped at first and hurts now."""
    trajectory = answering(lambda octaves: octaves)
    level, stages = 5.0, [(s.parent or 0, s.weights or W, s.feedback) for s in trajectory.states[1:]]
    for octaves in (3.0, 1.0, 3.0, 1.0):
        level += 0.1 * 3 * octaves
        stages.append((len(stages), weights(1.0, 0.1, 0.01 * 2**octaves), niqe(level)))
    view = seen(grow(stages))

    def effect(forget: float) -> float:
        fit = fitted(view, Quantity(view.goal), forget)
        here = fit.ratios(weights(1.0, 0.1, 0.02))
        rows = fit.rows(np.stack([here, here + np.array([0.0, math.log(2.0)])]), view, view.head)
        return float(np.diff(fit.posterior.expected(rows))[0]) * fit.noise

    assert effect(0.3) < effect(1.0)
    assert effect(0.3) < 0


def test_the_fixed_run_is_learned_from_with_less_weight() -> None:
    view = seen(line(6.0, 5.5))
    known = replace(view, fixed={0: niqe(7.0), 1: niqe(6.5), 2: niqe(6.2), 4: niqe(6.0)})
    without, with_it = (fitted(v, Quantity(v.goal)) for v in (view, known))
    assert with_it.responses[1].drift == pytest.approx(3.0)
    assert without.responses[1].drift is None
    # Two stages are known at both ends.
    assert with_it.posterior.shape == pytest.approx(without.posterior.shape + 2 * FIXED / 2)
    assert with_it.posterior.mean != pytest.approx(without.posterior.mean)


def test_effects_have_the_sign_and_the_size_of_what_happened() -> None:
    view = seen(answering(lambda octaves: 6.0 * octaves))
    perceptual, gan = estimates(view)
    assert (perceptual.loss, gan.loss) == ("perceptual", "gan")
    assert 3.0 < gan.mean < 7.0  # the prior draws towards 0
    assert gan.mean > 3 * gan.sd
    assert gan.stages == 4  # two were trained under one weight, two under another
    assert abs(perceptual.mean) < perceptual.sd  # never moved: the prior
    assert perceptual.stages == 0


def test_effects_are_asked_at_the_head_and_losses_that_are_off_have_none() -> None:
    off = grow([(0, weights(1.0, 0.1, 0.0), niqe(6.0)), (1, weights(1.0, 0.2, 0.0), niqe(6.5))])
    assert [e.loss for e in estimates(seen(off))] == ["perceptual"]
    assert [e.loss for e in estimates(seen(line(6.0), Bounds(frozen=frozenset({"gan"}))))] == ["l1", "perceptual"]
    assert estimates(seen(grow([(0, Weights.of({"l1": 1.0}), niqe(6.0))]))) == ()


def test_a_wish_alone_has_no_effects_and_no_predictions() -> None:
    view = seen(line(6.0), goal=Goal(wish="no plastic skin"))
    assert estimates(view) == ()
    with pytest.raises(Refused, match="proxy"):
        predicted(view, [W])
    with pytest.raises(Refused, match="proxy"):
        proposals(view, 3)


def test_predictions_follow_the_response_and_doubt_grows_away_from_what_was_tried() -> None:
    view = seen(answering(lambda octaves: 4.0 * octaves - 2.0))
    low, high = weights(1.0, 0.1, 0.01), weights(1.0, 0.1, 0.04)
    far = weights(1.0, 0.4, 0.04)
    first, second, third = predicted(view, [low, high, far])
    assert second.mean > first.mean
    assert third.sd > second.sd
    # Bounds first: beyond the trust region is at its end.
    assert predicted(view, [weights(1.0, 0.1, 9.0)]) == pytest.approx(predicted(view, [weights(1.0, 0.1, 0.08)]))
    assert predicted(view, []) == ()


def test_proposals_are_distinct_reachable_and_begin_with_the_expected_best() -> None:
    view = seen(answering(lambda octaves: 4.0 * octaves - 2.0))
    found = proposals(view, 5)
    assert len({str(w) for w in found}) == len(found) == 5
    assert view.previous in found[:2]
    for w in found:
        assert view.bounds.project(w, view.previous).magnitudes == pytest.approx(w.magnitudes)
    means = [p.mean for p in predicted(view, found)]
    assert means[0] == max(means)
    assert proposals(view, 5) == found
    assert proposals(view, 2) == found[:2]
    assert proposals(view, 0) == ()
    assert proposals(replace(view, seed=1), 5) != found


def test_proposals_where_nothing_can_move_keep_the_weights() -> None:
    one = Weights.of({"l1": 1.0})
    assert proposals(seen(grow([(0, one, niqe(6.0))])), 5) == (one,)


def both(n: float, p: float) -> Feedback:
    return Feedback(scores={**niqe(n).scores, "psnr": dict.fromkeys(IMAGES, p)})


@pytest.mark.parametrize(
    ("constraint", "worse"),
    [
        (Constraint(metric="psnr", at_least=29.0, unit=0.1), 29.0),
        (Constraint(metric="psnr", at_most=31.0, unit=0.1), 31.0),
    ],
)
def test_a_constraint_is_a_quantity_of_which_more_is_better(constraint: Constraint, worse: float) -> None:
    trajectory = grow([(0, W, both(6.0, worse))], start=both(7.0, 30.0))
    (found,) = responses(seen(trajectory), Quantity.constrained(constraint))
    assert found.change == pytest.approx(-10.0)


def test_several_targets_are_one_quantity() -> None:
    goal = Goal(targets=(*GOAL.targets, Target(metric="psnr", direction="higher", importance=2.0, unit=0.1)))
    trajectory = grow([(0, W, both(6.0, 30.5))], start=both(7.0, 30.0))
    (found,) = responses(seen(trajectory, goal=goal))
    assert found.change == pytest.approx(10.0 + 2.0 * 5.0)


def test_noise_is_learned_from_stages_that_do_not_fit() -> None:
    def noise(view: View) -> float:
        fit = fitted(view, Quantity(view.goal))
        return fit.posterior.noise * fit.noise

    calm, wild = answering(lambda octaves: octaves), grow([(i, W, niqe(7.0 - i % 2)) for i in range(6)])
    assert noise(seen(wild)) > 3 * noise(seen(calm))
