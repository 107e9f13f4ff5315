"""Black-box optimisers as agents: what is told to them, and that they are driven exactly."""

from __future__ import annotations

import logging
import math
import random
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pytest
import torch
import yaml
from cmaes import CMA
from pydantic import TypeAdapter, ValidationError

from agents.kit import GOAL, NIQE, change_state, grow, line, niqe, seen, weights
from lossagent.agents import AgentSettings, create, forget
from lossagent.agents.rollback import Rollback
from lossagent.agents.search import Search, SearchSettings
from lossagent.agents.search.cma import next_candidate
from lossagent.agents.search.evaluations import Evaluation, evaluations, graded
from lossagent.agents.search.space import space_of
from lossagent.errors import MissingPackage, Refused
from lossagent.experiment import parse
from lossagent.feedback import Feedback
from lossagent.goal import Constraint, Goal
from lossagent.records import StageReport
from lossagent.runs import MemoryLog
from lossagent.steering import Steering
from lossagent.trajectory import Trajectory
from lossagent.weights import Bounds, Weights
from tiny import experiment

W = weights(1.0, 0.1, 0.01)
FREE = Bounds(trust=None)
METHODS = ("cmaes", "tpe", "gp", "random")
PAGE = (Path(__file__).resolve().parents[2] / "docs" / "agents" / "search.md").read_text(encoding="utf-8")


def both(n: float | None, psnr: float | None) -> Feedback:
    images = niqe(n).scores["niqe"]
    return Feedback(scores={"niqe": images, "psnr": dict.fromkeys(images, psnr)})


def steer(
    agent: Search | Rollback, score: Callable[[Weights], float], stages: int, bounds: Bounds = FREE, seed: int = 0
) -> Trajectory:
    """A run in which a stage changes the NIQE of its parent by ``score`` of its weights."""
    steering = Steering(
        agent=agent,
        goal=GOAL,
        initial=W,
        stages=stages,
        log=MemoryLog(),
        metrics={"niqe": NIQE},
        bounds=bounds,
        seed=seed,
        can_restart=agent.needs_restart,
    )
    values = {0: 7.0}
    steering.tell(0, feedback=niqe(7.0))
    while stage := steering.ask():
        assert stage.parent is not None
        assert stage.weights is not None
        values[stage.state] = values[stage.parent] + score(stage.weights)
        steering.tell(stage.state, feedback=niqe(values[stage.state]))
    return steering.trajectory


def bowl(w: Weights) -> float:
    """Best, at 0, where perceptual is 0.3 and GAN 0.1 of L1."""
    return math.log(w["perceptual"] / w["l1"] / 0.3) ** 2 + math.log(w["gan"] / w["l1"] / 0.1) ** 2


# -- the space ---------------------------------------------------------------------------------------------


def test_the_space_is_the_log_ratios_to_the_anchor_inside_the_box_and_the_range() -> None:
    bounds = Bounds(low=1e-4, high=10.0, per_loss={"gan": (0.005, 1.0)})
    initial = weights(2.0, 0.1, 0.01)
    space = space_of(line(), initial, bounds, 16.0)
    assert (space.anchor, space.names) == ("l1", ("perceptual", "gan"))
    space = space_of(grow([(0, initial, niqe(6.0))]), initial, bounds, 16.0)
    assert space.point(initial) == pytest.approx((math.log(0.05), math.log(0.005)))
    assert space.low == pytest.approx((math.log(0.05 / 16), math.log(0.0025)))
    assert space.high == pytest.approx((math.log(0.05 * 16), math.log(0.005 * 16)))
    far = space.weights((0.0, -1.0), weights(4.0, 1.0, 1.0))
    assert far.values() == pytest.approx({"l1": 4.0, "perceptual": 4.0, "gan": 4.0 / math.e})


def test_losses_that_are_off_frozen_or_pinned_are_not_searched() -> None:
    off = Weights.of({"l1": 1.0, "perceptual": 0.1, "gan": 0.0, "tv": 0.2, "fft": 0.3}, keep=None)
    bounds = Bounds(frozen=frozenset({"tv"}), per_loss={"fft": (0.3, 0.3)})
    trajectory = grow([(0, off, niqe(6.0))])
    space = space_of(trajectory, off, bounds, 16.0)
    assert (space.anchor, space.names) == ("tv", ("l1", "perceptual"))
    w = Search("random").decide(seen(trajectory, bounds), forget).weights
    assert w.off == {"gan"}
    assert (w["tv"], w["fft"]) == (0.2, 0.3)


def test_with_nothing_to_move_the_weights_stay() -> None:
    one = Weights.of({"l1": 1.0})
    decision = Search("cmaes").decide(seen(grow([(0, one, niqe(6.0))])), forget)
    assert decision.weights == one
    bounds = Bounds(frozen=frozenset(W.names))
    head = weights(1.0, 0.2, 0.03)
    view = seen(grow([(0, W, niqe(6.0)), (1, head, niqe(5.0))]), bounds)
    assert Search("tpe").decide(view, forget).weights == head


# -- what is told ------------------------------------------------------------------------------------------


def test_a_stage_is_credited_with_its_change_less_the_drift_of_the_fixed_run() -> None:
    trajectory = grow([(0, W, niqe(6.0)), (1, W, niqe(5.5)), (1, W, niqe(6.2))])
    view = seen(trajectory)  # a point of utility is 0.1 of NIQE
    assert [e.utility for e in evaluations(view, "change", frozenset())] == pytest.approx([10.0, 5.0, -2.0])
    assert [e.utility for e in evaluations(view, "score", frozenset())] == pytest.approx([10.0, 15.0, 8.0])
    drifting = replace(view, fixed={0: niqe(7.0), 1: niqe(6.6), 2: niqe(6.5)})
    assert [e.utility for e in evaluations(drifting, "change", frozenset())] == pytest.approx([6.0, 4.0, -3.0])
    assert [e.utility for e in evaluations(drifting, "score", frozenset())] == pytest.approx([6.0, 10.0, 3.0])
    unknown = replace(view, fixed={0: niqe(7.0), 1: niqe(6.6)})
    assert [e.utility for e in evaluations(unknown, "change", frozenset())] == pytest.approx([6.0, 5.0, -2.0])


@pytest.mark.parametrize("value", [None, math.nan])
def test_a_missing_score_is_no_verdict_unless_training_broke(value: float | None) -> None:
    trajectory = change_state(line(6.0, 5.0, 4.0), 2, feedback=niqe(value))
    told = evaluations(seen(trajectory), "change", frozenset())
    assert [e.state for e in told] == [1]  # state 3 has nothing to be compared with
    assert [e.state for e in evaluations(seen(trajectory), "score", frozenset())] == [1, 3]
    broken = change_state(trajectory, 2, report=StageReport(iterations=100, losses={"gan": math.nan}))
    told = evaluations(seen(broken), "change", frozenset())
    assert [(e.state, e.utility) for e in told] == [(1, pytest.approx(10.0)), (2, None)]
    assert graded(told)[1] < graded(told)[0]


def test_stages_under_which_other_losses_were_on_are_not_told() -> None:
    off = Weights.of({"l1": 1.0, "perceptual": 0.1, "gan": 0.0}, keep=W)
    trajectory = grow([(0, W, niqe(6.0)), (1, off, niqe(5.0)), (2, W, niqe(4.0))])
    assert [e.state for e in evaluations(seen(trajectory), "change", frozenset())] == [1, 3]
    assert [e.state for e in evaluations(seen(trajectory), "change", frozenset({"gan"}))] == [2]


def test_feasible_comes_before_better_and_broken_comes_last() -> None:
    told = [
        Evaluation(1, W, 3.0),
        Evaluation(2, W, 50.0, miss=2.0),
        Evaluation(3, W, -4.0),
        Evaluation(4, W, 60.0, miss=0.5),
        Evaluation(5, W, None),
    ]
    values = graded(told)
    assert values[0] == 3.0
    assert values[2] == -4.0
    assert sorted(range(5), key=lambda i: -values[i]) == [0, 2, 3, 1, 4]
    assert values[3] - values[1] == pytest.approx(1.5)
    assert graded([Evaluation(1, W, None), Evaluation(2, W, None)]) == (-1.0, -1.0)
    assert graded([]) == ()


def test_a_constraint_is_missed_by_what_the_stage_added() -> None:
    goal = Goal(targets=GOAL.targets, constraints=(Constraint(metric="psnr", at_least=29.0),))
    stages = [(0, W, both(6.0, 29.5)), (1, W, both(5.0, 28.0)), (2, W, both(4.0, 28.4)), (2, W, both(4.0, None))]
    view = seen(grow(stages, start=both(7.0, 30.0)), goal=goal)
    change = evaluations(view, "change", frozenset())
    assert [e.miss for e in change] == [None, pytest.approx(1.0), pytest.approx(-0.4)]
    assert [e.miss for e in evaluations(view, "score", frozenset())][1:] == pytest.approx([1.0, 0.6])
    assert graded(change)[2] > graded(change)[1]  # the stage that went towards the limit


# -- CMA-ES ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bounds", [FREE, Bounds(trust=1.5)], ids=["free", "projected"])
def test_cmaes_is_what_an_optimiser_that_was_kept_alive_would_have_asked(bounds: Bounds) -> None:
    trajectory = steer(Search("cmaes", sigma=0.7), bowl, 14, bounds, seed=3)
    space = space_of(trajectory, W, bounds, 16.0)
    told = evaluations(seen(trajectory, bounds), "change", frozenset())
    alive = CMA(
        mean=np.array(space.middle),
        sigma=0.7,
        bounds=np.array([space.low, space.high]).T,
        seed=random.Random("3/search/cmaes").getrandbits(32),
        population_size=4,
    )
    generation: list[tuple[np.ndarray, float]] = []
    for evaluation, state in zip(told, trajectory.states[1:], strict=True):
        asked = alive.ask()
        assert state.decision is not None
        if state.id > 1:  # the first stage is trained under the initial weights, whatever is asked
            assert space.point(state.decision.proposed) == pytest.approx(tuple(asked))
        assert evaluation.utility is not None
        generation.append((np.array(space.point(state.decision.weights)), -evaluation.utility))
        if len(generation) == 4:
            alive.tell(generation)
            generation = []


def test_cmaes_goes_on_when_nothing_differs_or_the_box_is_met() -> None:
    space = space_of(line(), W, FREE, 16.0)
    corner = space.weights(space.high, W)
    for made in (W, corner):
        told = [Evaluation(i, made, 0.0) for i in range(120)]
        found = next_candidate(space, told, 4, 1.0, seed=0)
        assert (found.generation, found.number) == (31, 1)
        assert all(a <= x <= b for x, a, b in zip(found.point, space.low, space.high, strict=True))


def test_an_unfinished_generation_goes_on() -> None:
    space = space_of(line(), W, FREE, 16.0)
    told = [Evaluation(i, W, float(i)) for i in range(6)]
    found = [next_candidate(space, told[:n], 4, 1.0, seed=0) for n in range(7)]
    assert [(c.generation, c.number) for c in found] == [(1, 1), (1, 2), (1, 3), (1, 4), (2, 1), (2, 2), (2, 3)]
    assert len({c.point for c in found}) == 7


# -- the agent ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("restart_from", ["head", "best", "start"])
def test_a_run_that_is_read_again_gives_the_same_decisions(method: str, restart_from: str) -> None:
    agent = create(SearchSettings.model_validate({"method": method, "restart_from": restart_from}))
    assert isinstance(agent, Search)
    bounds = Bounds(trust=4.0)
    whole = steer(agent, bowl, 6, bounds)
    for n in range(2, 7):
        part = replace(whole, states=whole.states[:n], head_id=n - 1)
        decision = agent.decide(seen(part, bounds), forget)
        made = whole.states[n].decision
        assert made is not None
        assert decision.proposed == made.proposed
        assert decision.restart_from == made.restart_from


@pytest.mark.parametrize("method", ["cmaes", "tpe", "gp"])
def test_it_finds_what_random_search_does_not(method: str) -> None:
    def miss(agent: Search) -> float:
        found = [steer(agent, bowl, 20, seed=s).states[-6:] for s in range(2)]
        return sum(bowl(s.weights) for states in found for s in states if s.weights is not None)

    made = create(SearchSettings.model_validate({"method": method}))
    assert isinstance(made, Search)
    assert miss(made) < 0.5 * miss(Search("random"))


def test_where_a_stage_starts_from() -> None:
    trajectory = grow([(0, W, niqe(6.0)), (1, weights(1.0, 0.2, 0.01), niqe(5.0)), (2, W, niqe(5.5))])
    starts = {r: Search("random", r).decide(seen(trajectory), forget).restart_from for r in ("head", "best", "start")}
    assert starts == {"head": 3, "best": 2, "start": 0}
    pinned = replace(seen(trajectory), pinned=True)  # a person chose the head
    assert {Search("random", r).decide(pinned, forget).restart_from for r in ("head", "best", "start")} == {3}
    assert not Search("gp", "head").needs_restart
    assert Search("gp").needs_restart
    with pytest.raises(Refused, match="can_restart"):
        Steering(agent=Search("random", "best"), goal=GOAL, initial=W, stages=3)


def test_rollback_shows_it_the_best_state_as_head() -> None:
    trajectory = grow([(0, W, niqe(6.0)), (1, weights(1.0, 0.2, 0.01), niqe(5.0)), (2, W, niqe(5.5))])
    assert Rollback(Search("tpe")).decide(seen(trajectory), forget).restart_from == 2


def test_draws_before_the_model_differ_from_stage_to_stage() -> None:
    trajectory = steer(Search("tpe", startup=6), bowl, 6)
    drawn = {str(s.weights) for s in trajectory.states[1:]}
    assert len(drawn) == 6


def test_a_wish_alone_suffices_for_random_search_only() -> None:
    wish = seen(line(6.0), goal=Goal(wish="no plastic skin"))
    assert not Search("random", "head").needs_utility
    assert Search("random", "head").decide(wish, forget).restart_from == 1
    for agent in (Search("tpe"), Search("random")):
        assert agent.needs_utility
        with pytest.raises(Refused, match="proxy metric"):
            agent.decide(wish, forget)


def test_a_person_s_weights_beyond_the_range_do_no_harm() -> None:
    far = weights(1.0, 9.0, 5.0)
    trajectory = grow([(0, W, niqe(6.0)), (1, far, niqe(5.0)), (2, W, niqe(5.5)), (3, W, niqe(5.4))])
    for method in ("tpe", "gp", "cmaes"):
        made = create(SearchSettings.model_validate({"method": method, "startup": 1}))
        w = made.decide(seen(trajectory, FREE), forget).weights
        assert 0.1 / 16.001 <= w["perceptual"] <= 1.6001


def test_neither_other_generators_nor_optunas_logging_are_touched(capfd: pytest.CaptureFixture[str]) -> None:
    before = torch.get_rng_state(), np.random.get_state()[1].tolist(), torch.get_num_threads()
    level = optuna.logging.get_verbosity()
    for agent in (Search("gp", startup=2), Search("tpe"), Search("cmaes")):
        agent.decide(seen(line(6.0, 5.5, 5.2, 5.4)), forget)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.random.get_state()[1].tolist() == before[1]
    assert torch.get_num_threads() == before[2]
    assert optuna.logging.get_verbosity() == level
    assert level == logging.INFO
    assert capfd.readouterr() == ("", "")


# -- settings ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "package"), [("cmaes", "cmaes"), ("tpe", "optuna"), ("gp", "optuna")])
def test_a_missing_package_is_said_before_work(monkeypatch: pytest.MonkeyPatch, method: str, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    settings = SearchSettings.model_validate({"method": method})
    with pytest.raises(MissingPackage, match=re.escape("pip install 'lossagent[search]'")):
        create(settings)
    assert create(SearchSettings(method="random")) == Search("random")


@pytest.mark.parametrize(
    "wrong",
    [
        {"method": "magic"},
        {"restart_from": "worst"},
        {"credit": "all"},
        {"range": 1.0},
        {"range": math.inf},
        {"startup": 0},
        {"population": 1},
        {"sigma": 0.0},
        {"sigma": math.nan},
    ],
)
def test_what_is_no_search_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        SearchSettings.model_validate(wrong)


@pytest.mark.parametrize("wrong", [{"range": 1.0}, {"startup": 0}, {"population": 1}, {"sigma": math.nan}])
def test_the_agent_refuses_too(wrong: Mapping[str, float]) -> None:
    with pytest.raises(Refused, match=next(iter(wrong))):
        replace(Search(), **wrong)


def test_the_page_s_examples_are_experiments(tmp_path: Path) -> None:
    adapter: TypeAdapter[SearchSettings] = TypeAdapter(AgentSettings)
    blocks = [yaml.safe_load(b) for b in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]
    assert blocks
    for block in blocks:
        chosen = parse(experiment(tmp_path) | block).agent
        assert isinstance(chosen, SearchSettings)
        assert adapter.validate_json(adapter.dump_json(chosen)) == chosen
        agent = create(chosen)
        assert isinstance(agent.agent if isinstance(agent, Rollback) else agent, Search)


def test_the_page_names_every_setting_with_its_default() -> None:
    for name, field in SearchSettings.model_fields.items():
        if name not in {"kind", "rollback"}:
            assert re.search(rf"\| `{name}` \| `{field.default}` \|", PAGE), name
