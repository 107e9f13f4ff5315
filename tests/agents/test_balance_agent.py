"""Gradient-norm balancing: its equation, smoothing, and what becomes of norms that say nothing."""

from __future__ import annotations

import math

import pytest
from pydantic import TypeAdapter, ValidationError

from agents.trees import change_state, grow, niqe, seen, weights
from lossagent.agents import AgentSettings, View, create, forget
from lossagent.agents.balance import Balance
from lossagent.agents.settings import AgentOptions
from lossagent.errors import Refused
from lossagent.experiment import parse
from lossagent.goal import Goal
from lossagent.records import Evidence, StageReport
from lossagent.weights import Bounds, Weights
from tiny import experiment

W = weights(1.0, 0.1, 0.01)
NORMS = {"l1": 2.0, "perceptual": 40.0, "gan": 5.0}
SETTINGS: TypeAdapter[AgentOptions] = TypeAdapter(AgentSettings)


def measured(
    norms: dict[str, float],
    raw: dict[str, float] | None = None,
    start: dict[str, float] | None = None,
    w: Weights = W,
    bounds: Bounds | None = None,
) -> View:
    trajectory = grow([(0, w, niqe(6.0))])
    trajectory = change_state(trajectory, 0, report=StageReport(evidence=Evidence(raw=start or {})))
    evidence = Evidence(raw=raw or {}, layer_norms=norms)
    return seen(change_state(trajectory, 1, report=StageReport(iterations=100, evidence=evidence)), bounds)


def parts(view: View, agent: Balance) -> dict[str, float]:
    """w_m |dL_m/dtheta| under the agent's weights, over their sum."""
    w = agent.decide(view, forget).weights
    norms = view.head.report.evidence.layer_norms if view.head.report is not None else {}
    found = {name: w[name] * norms[name] for name in norms}
    return {name: part / sum(found.values()) for name, part in found.items()}


def test_without_momentum_the_weighted_norms_are_equal_and_the_anchor_stays() -> None:
    view = measured(NORMS)
    assert parts(view, Balance(momentum=0.0)) == pytest.approx(dict.fromkeys(NORMS, 1 / 3))
    assert Balance(momentum=0.0).decide(view, forget).weights["l1"] == 1.0


def test_shares_are_kept_and_losses_not_named_split_the_rest() -> None:
    found = parts(measured(NORMS), Balance(shares={"l1": 0.5}, momentum=0.0))
    assert found == pytest.approx({"l1": 0.5, "perceptual": 0.25, "gan": 0.25})
    found = parts(measured(NORMS), Balance(shares={"l1": 0.2, "perceptual": 0.2, "gan": 0.6}, momentum=0.0))
    assert found == pytest.approx({"l1": 0.2, "perceptual": 0.2, "gan": 0.6})


def test_momentum_is_a_mean_of_logarithms() -> None:
    view = measured(NORMS)
    full = Balance(momentum=0.0).decide(view, forget).weights
    half = Balance(momentum=0.75).decide(view, forget).weights
    for name in ("perceptual", "gan"):
        assert math.log(half[name]) == pytest.approx(0.75 * math.log(W[name]) + 0.25 * math.log(full[name]))


def test_repeated_it_arrives_at_the_shares() -> None:
    w = W
    for _ in range(12):
        w = Balance().decide(measured(NORMS, w=w), forget).weights
    assert {n: w[n] * NORMS[n] for n in NORMS} == pytest.approx(dict.fromkeys(NORMS, 2.0), rel=1e-2)


def test_rates_are_gradnorms() -> None:
    start, now = {"l1": 0.1, "perceptual": 1.0, "gan": 2.0}, {"l1": 0.05, "perceptual": 0.9, "gan": 1.0}
    left = {name: now[name] / start[name] for name in now}
    mean = sum(left.values()) / 3
    wanted = {name: (value / mean) ** 1.5 for name, value in left.items()}
    found = parts(measured(NORMS, now, start), Balance(momentum=0.0, alpha=1.5))
    assert found == pytest.approx({name: value / sum(wanted.values()) for name, value in wanted.items()})
    assert found["perceptual"] > found["l1"]  # it has fallen least


@pytest.mark.parametrize("value", [0.0, -0.3, math.nan, math.inf, None])
def test_a_loss_value_that_gives_no_rate_counts_as_the_mean(value: float | None) -> None:
    start, now = {"l1": 0.1, "perceptual": 1.0}, {"l1": 0.1, "perceptual": 1.0}
    if value is not None:
        start["gan"], now["gan"] = 1.0, value
    found = parts(measured(NORMS, now, start), Balance(momentum=0.0, alpha=1.5))
    assert found == pytest.approx(dict.fromkeys(NORMS, 1 / 3))


@pytest.mark.parametrize("norm", [0.0, math.nan, math.inf, -1.0, None])
def test_a_loss_without_a_usable_norm_keeps_its_weight(norm: float | None) -> None:
    norms = {n: x for n, x in {**NORMS, "gan": norm}.items() if x is not None}
    w = Balance(momentum=0.0).decide(measured(norms), forget).weights
    assert w["gan"] == W["gan"]
    assert w["perceptual"] * 40.0 == pytest.approx(w["l1"] * 2.0)


def test_an_anchor_without_a_norm_keeps_its_weight_and_the_others_are_balanced() -> None:
    w = Balance(momentum=0.0).decide(measured({"perceptual": 40.0, "gan": 5.0}), forget).weights
    assert w["l1"] == 1.0
    assert w["perceptual"] * 40.0 == pytest.approx(w["gan"] * 5.0)


@pytest.mark.parametrize("norms", [{}, {"gan": 3.0}, {"l1": math.nan, "gan": 3.0}])
def test_with_fewer_than_two_norms_the_weights_stay_and_it_says_so(norms: dict[str, float]) -> None:
    decision = Balance().decide(measured(norms), forget)
    assert decision.weights == W
    assert "the weights stay" in decision.thoughts


def test_frozen_and_off_losses_stay() -> None:
    frozen = Balance(momentum=0.0).decide(measured(NORMS, bounds=Bounds(frozen=frozenset({"gan"}))), forget).weights
    assert frozen["gan"] == W["gan"]
    assert frozen["l1"] * 2.0 == pytest.approx(frozen["gan"] * 5.0)  # the frozen loss is the anchor
    off = weights(1.0, 0.1, 0.0)
    decision = Balance(momentum=0.0).decide(measured(NORMS, w=off), forget)
    assert decision.weights.off == {"gan"}
    assert decision.weights["perceptual"] * 40.0 == pytest.approx(2.0)


def test_it_needs_no_objective() -> None:
    agent = Balance()
    assert not agent.needs_utility
    assert not agent.needs_restart
    view = measured(NORMS)
    wish = seen(view.trajectory, goal=Goal(wish="no plastic skin"))
    assert agent.decide(wish, forget) == agent.decide(view, forget)


def test_settings() -> None:
    settings = SETTINGS.validate_python({"kind": "balance", "shares": {"l1": 0.5}, "momentum": 0, "alpha": 1})
    assert create(settings) == Balance({"l1": 0.5}, 0.0, 1.0)
    for wrong in ({"momentum": 1.0}, {"alpha": -1.0}, {"shares": {"l1": 0.0}}, {"shares": {"l1": 0.6, "gan": 0.6}}):
        with pytest.raises(ValidationError):
            SETTINGS.validate_python({"kind": "balance", **wrong})
        with pytest.raises(Refused):
            Balance(**wrong)  # pyright: ignore[reportArgumentType]


def test_shares_that_do_not_fit_the_losses_are_refused(tmp_path) -> None:
    with pytest.raises(Refused, match="'gna'"):
        Balance({"gna": 0.5}).decide(measured(NORMS), forget)
    with pytest.raises(Refused, match="nothing for gan"):
        Balance({"l1": 0.5, "perceptual": 0.5}).decide(measured(NORMS), forget)
    with pytest.raises(Refused, match="'gna'"):
        parse(experiment(tmp_path, agent={"kind": "balance", "shares": {"gna": 0.5}}))
