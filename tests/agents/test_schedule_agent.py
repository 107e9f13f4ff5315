"""Schedules: the curve of each shape, exact replay of a path, and what is refused."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import yaml
from pydantic import TypeAdapter

from agents.trees import GOAL, NIQE, grow, niqe, seen, weights
from lossagent.agents import Agent, AgentSettings, Random, create, forget
from lossagent.agents.plans import Ramp, Steps, Table
from lossagent.agents.schedule import Schedule, ScheduleSettings
from lossagent.agents.settings import AgentOptions
from lossagent.errors import Refused
from lossagent.experiment import parse
from lossagent.steering import Steering
from lossagent.trajectory import Trajectory
from lossagent.weights import Bounds, Weights
from tiny import experiment

W = weights(1.0, 0.1, 0.01)
SETTINGS: TypeAdapter[AgentOptions] = TypeAdapter(AgentSettings)
FREE = Bounds(trust=None)


def run(agent: Agent, stages: int, bounds: Bounds, initial: Weights = W, seed: int = 0) -> Trajectory:
    steering = Steering(
        agent=agent, goal=GOAL, initial=initial, stages=stages, metrics={"niqe": NIQE}, bounds=bounds, seed=seed
    )
    steering.tell(0, feedback=niqe(7.0))
    while stage := steering.ask():
        steering.tell(stage.state, feedback=niqe(6.0))
    return steering.trajectory


def path(agent: Agent, stages: int, bounds: Bounds = FREE, name: str = "gan") -> list[float]:
    """The weight of one loss over a run."""
    return [state.weights[name] for state in run(agent, stages, bounds).states[1:] if state.weights is not None]


def test_linear_moves_by_the_same_factor_each_stage_and_arrives() -> None:
    found = path(Schedule(Ramp({"gan": 0.16})), 5)
    assert found == pytest.approx([0.01, 0.02, 0.04, 0.08, 0.16])
    assert (found[0], found[-1]) == (0.01, 0.16)
    assert path(Schedule(Ramp({"gan": 0.16})), 5, name="perceptual") == [0.1] * 5


def test_cosine_is_half_a_cosine_in_the_logarithm() -> None:
    found = path(Schedule(Ramp({"gan": 1.0}, "cosine")), 5)
    parts = [(1 - math.cos(math.pi * i / 4)) / 2 for i in range(5)]
    assert found == pytest.approx([0.01 * 100**part for part in parts])
    assert (found[0], found[-1]) == (0.01, 1.0)


def test_step_multiplies_from_its_stage_on() -> None:
    plan = Steps({2: {"gan": 3.0}, 4: {"gan": 0.5, "perceptual": 2.0}})
    assert path(Schedule(plan), 5) == pytest.approx([0.01, 0.03, 0.03, 0.015, 0.015])
    assert path(Schedule(plan), 5, name="perceptual") == [0.1, 0.1, 0.1, 0.2, 0.2]


def test_the_last_row_of_a_table_is_kept() -> None:
    rows = [W.values(), {"l1": 1.0, "perceptual": 0.0, "gan": 0.5}]
    states = run(Schedule(Table(rows)), 4, FREE).states
    assert [str(s.weights) for s in states[1:]] == [str(W)] + ["l1:perceptual:gan=1:0:0.5"] * 3
    assert states[4].weights is not None
    assert states[4].weights.magnitudes["perceptual"] == 0.1  # off keeps the magnitude


def test_a_run_of_one_stage_has_the_initial_weights() -> None:
    assert path(Schedule(Ramp({"gan": 0.16})), 1) == [0.01]


@pytest.mark.parametrize("seed", range(5))
def test_a_recorded_path_replayed_gives_the_same_weights_exactly(seed: int) -> None:
    initial, bounds = Weights.of({"l1": 1 / 3, "perceptual": 0.1, "gan": 0.01, "mse": 0.0}), Bounds(trust=3.0)
    recorded = run(Random(), 6, bounds, initial, seed)
    rows = Table.of(recorded, 6).rows
    assert len({row["gan"] for row in rows}) == 6
    text = yaml.safe_dump({"kind": "schedule", "shape": "table", "table": list(rows)})
    for agent in (Schedule(Table(rows)), create(SETTINGS.validate_python(yaml.safe_load(text)))):
        again = run(agent, 6, bounds, initial)
        assert Table.of(again, 6).rows == rows


def test_a_table_is_made_of_the_path_to_a_state_not_of_the_tree() -> None:
    tree = grow([(0, W, niqe(6.0)), (1, weights(1.0, 0.2, 0.02), niqe(7.5)), (1, weights(1.0, 0.3, 0.02), niqe(5.0))])
    assert [row["perceptual"] for row in Table.of(tree, 3).rows] == [0.1, 0.3]
    with pytest.raises(Refused, match="first stage"):
        Table.of(tree, 0)


def test_the_place_in_the_plan_is_the_depth_not_the_number_of_stages() -> None:
    tree = grow([(0, W, niqe(6.0)), (1, W, niqe(7.5)), (1, W, niqe(5.0))])
    agent = Schedule(Table([W.values(), *({"l1": 1.0, "perceptual": 0.1, "gan": x} for x in (0.02, 0.03, 0.04))]))
    assert agent.decide(seen(tree), forget).weights["gan"] == 0.03
    assert agent.decide(seen(replace(tree, head_id=1)), forget).weights["gan"] == 0.02


def test_bounds_apply() -> None:
    assert path(Schedule(Ramp({"gan": 1.0})), 3, Bounds(trust=2.0)) == pytest.approx([0.01, 0.02, 0.04])
    assert path(Schedule(Ramp({"gan": 1.0})), 3, Bounds(trust=None, high=0.05)) == [0.01, 0.05, 0.05]


@pytest.mark.parametrize(
    ("data", "plan"),
    [
        ({"shape": "linear", "end": {"gan": 1}}, Ramp({"gan": 1.0})),
        ({"shape": "cosine", "end": "perceptual:gan=0.02:0.1"}, Ramp({"perceptual": 0.02, "gan": 0.1}, "cosine")),
        ({"shape": "step", "factors": {4: {"gan": 3}, 6: "gan=0.5"}}, Steps({4: {"gan": 3.0}, 6: {"gan": 0.5}})),
        ({"shape": "table", "table": ["l1:gan=1:0.1", {"l1": 1, "gan": 0}]},
         Table(({"l1": 1.0, "gan": 0.1}, {"l1": 1.0, "gan": 0.0}))),
    ],
)  # fmt: skip
def test_settings(data: dict[str, object], plan: object) -> None:
    settings = SETTINGS.validate_python({"kind": "schedule", **data})
    assert create(settings) == Schedule(plan)  # pyright: ignore[reportArgumentType]
    assert SETTINGS.validate_json(SETTINGS.dump_json(settings)) == settings
    assert SETTINGS.validate_python(yaml.safe_load(yaml.safe_dump(settings.model_dump(mode="json")))) == settings


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"shape": "linear"}, "'linear' needs 'end'"),
        ({"shape": "table", "end": {"gan": 1.0}}, "needs 'table' and nothing else; found end"),
        ({"shape": "linear", "end": {"gan": 1.0}, "factors": {2: {"gan": 2.0}}}, "found end, factors"),
        ({"shape": "linear", "end": {"gan": 0.0}}, "end weight of 'gan' must be a finite number > 0"),
        ({"shape": "step", "factors": {1: {"gan": 2.0}}}, "from stage 2"),
        ({"shape": "step", "factors": {2: {"gan": -2.0}}}, "factor of stage 2 of 'gan'"),
        ({"shape": "table", "table": ["l1:gan=0:0"]}, "at least one weight"),
        ({"shape": "table", "table": ["l1 0.5"]}, "must look like"),
        ({"shape": "sawtooth", "end": {"gan": 1.0}}, "linear"),
    ],
)
def test_settings_that_are_no_schedule_are_refused(data: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        SETTINGS.validate_python({"kind": "schedule", **data})


@pytest.mark.parametrize(
    ("plan", "says"),
    [
        (Ramp({"gna": 1.0}), "'gna'. Did you mean 'gan'"),
        (Steps({2: {"gna": 1.0}}), "'gna'"),
        (Ramp({"mse": 1.0}), "'mse' in the schedule's end is off at the start"),
        (Table(({"l1": 1.0, "gan": 0.01},)), "row 1 .* 'mse' is missing"),
        (Table(({"l1": 1.0, "gan": 0.02, "mse": 0.0},)), "row 1 .* begin with, l1:gan:mse=1:0.01:0; found l1:gan:mse"),
        (Table(({"l1": 1.0, "gan": 0.01, "mse": 0.0, "x": 1.0},)), "'x'"),
    ],
)
def test_a_plan_that_does_not_fit_the_losses_is_refused(plan: Ramp | Steps | Table, says: str) -> None:
    initial = Weights.of({"l1": 1.0, "gan": 0.01, "mse": 0.0})
    with pytest.raises(Refused, match=says):
        Schedule(plan).decide(seen(grow([(0, initial, niqe(6.0))])), forget)


def test_an_experiment_file_is_refused_before_anything_is_done(tmp_path) -> None:
    agent = {"kind": "schedule", "shape": "linear", "end": {"gna": 1.0}}
    with pytest.raises(Refused, match="gna"):
        parse(experiment(tmp_path, agent=agent))
    fits = parse(experiment(tmp_path, agent={**agent, "end": {"gan": 1.0}}))
    assert isinstance(fits.agent, ScheduleSettings)
