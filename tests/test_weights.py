"""Weights and bounds."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from lossagent.errors import Refused
from lossagent.weights import FLOOR, Bounds, Weights


def of(**values: float) -> Weights:
    return Weights.of(values)


def test_text_form_round_trips_and_zero_means_off() -> None:
    w = Weights.parse(" l1 : perceptual:gan = 1.0: 0.1 :0 ")
    assert str(w) == "l1:perceptual:gan=1:0.1:0"
    assert w.off == {"gan"}
    assert Weights.parse(str(w)) == w
    assert w.values() == {"l1": 1.0, "perceptual": 0.1, "gan": 0.0}


def test_names_that_are_given_must_be_those_in_any_case_and_order() -> None:
    w = Weights.parse("GAN:L1=0.5:1", names=("l1", "gan"))
    assert w.names == ("l1", "gan")
    assert w["gan"] == 0.5
    with pytest.raises(Refused, match="must name l1:gan"):
        Weights.parse("l1:ssim=1:1", names=("l1", "gan"))


@pytest.mark.parametrize("text", ["", "l1", "l1=", "l1:gan=1", "l1:l1=1:2", "l1=one", "l1=1=2"])
def test_other_forms_are_refused(text: str) -> None:
    with pytest.raises(Refused):
        Weights.parse(text)


@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf])
def test_numbers_that_are_no_weights_are_refused(value: float) -> None:
    with pytest.raises(Refused, match="'gan' must be a finite number"):
        of(l1=1.0, gan=value)


def test_at_least_one_loss_is_on() -> None:
    with pytest.raises(Refused, match="at least one"):
        of(l1=0.0, gan=0.0)
    with pytest.raises(ValidationError, match="at least one loss must be on"):
        Weights(magnitudes={"l1": 1.0}, off=frozenset({"l1"}))


def test_a_loss_that_is_switched_off_keeps_its_magnitude() -> None:
    before = of(l1=1.0, gan=0.3)
    off = Weights.of({"l1": 1.0, "gan": 0.0}, keep=before)
    assert off["gan"] == 0.0
    assert off.magnitudes["gan"] == 0.3
    assert of(l1=1.0, gan=0.0).magnitudes["gan"] == FLOOR


def test_log_ratios_do_not_feel_a_common_factor() -> None:
    a, b = of(l1=1.0, gan=0.1), of(l1=3.0, gan=0.3)
    assert a.log_ratios("l1") == pytest.approx(b.log_ratios("l1"))
    assert a.log_ratios("l1")["gan"] == pytest.approx(math.log(0.1))


def test_projection_clips_to_the_trust_region_and_the_box() -> None:
    bounds = Bounds(low=0.01, high=2.0, trust=4.0)
    before = of(l1=1.0, gan=0.02)
    got = bounds.project(of(l1=100.0, gan=0.0001), before)
    assert got == of(l1=2.0, gan=0.01)
    assert bounds.project(of(l1=0.01, gan=1.0), before) == of(l1=0.25, gan=0.08)


def test_the_papers_recipes_have_no_bounds_but_zero() -> None:
    jump = of(l1=0.79, gan=0.0575)
    assert Bounds.none().project(jump, of(l1=1.0, gan=0.01)) == jump


def test_frozen_losses_stay_and_switching_can_be_forbidden() -> None:
    before = of(l1=1.0, gan=0.1)
    assert Bounds(frozen=frozenset({"l1"})).project(of(l1=2.0, gan=0.2), before) == of(l1=1.0, gan=0.2)
    off = Weights.of({"l1": 1.0, "gan": 0.0}, keep=before)
    assert Bounds(switch=False).project(off, before) == before
    assert Bounds().project(off, before) == off
    everything_but_frozen = Weights.of({"l1": 0.0, "gan": 0.1}, keep=before)
    assert Bounds(frozen=frozenset({"l1"})).project(everything_but_frozen, before).off == frozenset()


@pytest.mark.parametrize(("start", "end"), [(100.0, 25.0), (1e-6, 4e-6)])
def test_a_start_outside_the_box_walks_back_as_fast_as_the_trust_region_allows(start: float, end: float) -> None:
    got = Bounds(low=1e-4, high=10.0, trust=4.0).project(of(l1=1.0, gan=start), of(l1=1.0, gan=start))
    assert got["gan"] == pytest.approx(end)


@given(
    st.lists(st.floats(1e-6, 1e6), min_size=2, max_size=2),
    st.lists(st.floats(1e-3, 10.0), min_size=2, max_size=2),
)
@settings(derandomize=True, max_examples=100)
def test_a_projection_stays_inside_and_changes_nothing_twice(asked: list[float], before: list[float]) -> None:
    bounds = Bounds(low=1e-3, high=10.0, trust=3.0)
    previous = of(a=before[0], b=before[1])
    got = bounds.project(of(a=asked[0], b=asked[1]), previous)
    for name in ("a", "b"):
        assert 1e-3 <= got[name] <= 10.0
        assert previous[name] / 3.0 <= got[name] * (1 + 1e-12)
        assert got[name] <= previous[name] * 3.0
    assert bounds.project(got, previous) == got


@pytest.mark.parametrize("wrong", [{"low": 2.0, "high": 1.0}, {"trust": 1.0}, {"per_loss": {"gan": (0.0, 1.0)}}])
def test_bounds_that_cannot_hold_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Bounds.model_validate(wrong)


def test_one_loss_can_have_a_box_of_its_own() -> None:
    bounds = Bounds(trust=None, per_loss={"gan": (0.05, 0.2)})
    assert bounds.project(of(l1=5.0, gan=5.0), of(l1=1.0, gan=0.1)) == of(l1=5.0, gan=0.2)


def test_a_loss_that_stays_off_has_no_size_yet() -> None:
    bounds, start = Bounds(), Weights.of({"l1": 1.0, "gan": 0.0})
    kept = bounds.project(bounds.project(start, start), start)
    assert kept.magnitudes["gan"] == start.magnitudes["gan"]
    assert bounds.project(Weights.of({"l1": 1.0, "gan": 0.05}), kept)["gan"] == 0.05
