"""Simulated training: what is the same for all agents of a seed, and what is luck."""

from __future__ import annotations

import math

import numpy as np
import pytest
from truth import INITIAL, recorded

from lossagent.noise import paired_change
from lossagent.simulator import Model, fit
from lossagent.simulator.world import Latent, World
from lossagent.weights import Weights

OTHER = Weights.of({"l1": 1.0, "perceptual": 0.1, "gan": 0.03})


@pytest.fixture(scope="module")
def model() -> Model:
    return fit(recorded())


def niqe(model: Model, latent: Latent) -> float:
    return float(latent.values[[c.key for c in model.channels].index("feedback/niqe")])


def test_the_same_weights_throughout_lead_to_the_same_state(model: Model) -> None:
    states: list[Latent] = []
    for _ in range(2):
        world = World(model, 3)
        states.append(world.advance(world.advance(world.start, INITIAL), OTHER))
    assert np.array_equal(states[0].values, states[1].values)
    assert np.array_equal(states[0].feedback, states[1].feedback)
    assert World(model, 4).advance(World(model, 4).start, INITIAL).values[0] != states[0].values[0]


def test_other_data_and_another_path_bring_other_luck(model: Model) -> None:
    world = World(model, 0)
    first = world.advance(world.start, INITIAL)
    again = world.advance(world.start, INITIAL, replicate=1)
    assert niqe(model, first) != niqe(model, again)


def test_siblings_share_as_much_luck_as_recorded_ones(model: Model) -> None:
    twin = INITIAL.model_copy(update={"magnitudes": {**INITIAL.magnitudes, "gan": 0.01 * (1 + 1e-5)}})
    a, b = [], []
    for seed in range(200):
        world = World(model, seed)
        a.append(niqe(model, world.advance(world.start, INITIAL)))
        b.append(niqe(model, world.advance(world.start, twin)))  # an equal expectation, by another path
    assert np.corrcoef(a, b)[0, 1] == pytest.approx(model.shared, abs=0.1)
    column = [c.key for c in model.channels].index("feedback/niqe")
    assert np.std(a) == pytest.approx(model.spreads[column], rel=0.15)


def test_means_over_images_are_the_model_s(model: Model) -> None:
    world = World(model, 1)
    state = world.advance(world.advance(world.start, OTHER), OTHER)
    assert world.feedback(state).mean("niqe") == pytest.approx(niqe(model, state))
    selection = world.selection(state)
    assert selection is not None
    assert set(selection.scores["niqe"]) == {f"s{i}" for i in range(6)}


def test_a_change_has_paired_image_noise_as_a_recorded_one(model: Model) -> None:
    def floor(before: Latent, after: Latent, world: World) -> float:
        found = paired_change(world.feedback(after), world.feedback(before), "niqe", None, seed=0)
        assert found.floor is not None
        return found.floor

    runs = recorded().outcomes[:5]
    real = [
        paired_change(s.feedback, o.states[s.parent].feedback, "niqe", None, seed=0).floor
        for o in runs
        for s in o.states[1:]
        if s.feedback is not None and s.parent is not None and o.states[s.parent].feedback is not None
    ]
    made: list[float] = []
    for seed in range(10):
        world = World(model, seed)
        state = world.start
        for _ in range(4):
            after = world.advance(state, INITIAL)
            made.append(floor(state, after, world))
            state = after
    assert np.mean(made) == pytest.approx(np.mean([f for f in real if f is not None]), rel=0.35)


def test_reports_hold_losses_and_evidence(model: Model) -> None:
    world = World(model, 0)
    start, after = world.report(world.start), world.report(world.advance(world.start, OTHER))
    assert start.iterations == 50
    assert start.losses == {}
    assert start.evidence.raw["l1"] == pytest.approx(0.03)
    assert after.iterations == 100
    assert after.losses["l1"] == pytest.approx(0.03 * 3**0.1, rel=0.01)


def test_a_state_has_its_test_scores_once_for_all(model: Model) -> None:
    world = World(model, 2)
    assert world.tests(world.start)["BSD"]["niqe"] == pytest.approx(6.0)
    state = world.advance(world.start, OTHER)
    assert world.tests(state) == World(model, 2).tests(state)
    assert math.isfinite(world.tests(state)["BSD"]["niqe"])
