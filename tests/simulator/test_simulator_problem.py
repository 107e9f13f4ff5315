"""Agents in simulated runs."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from truth import GOAL, INITIAL, recorded

from lossagent.agents.base import Agent
from lossagent.agents.fixed import Fixed
from lossagent.agents.llm import LLM
from lossagent.agents.llm.options import LLMOptions
from lossagent.agents.random_weights import Random
from lossagent.agents.rollback import Rollback
from lossagent.agents.table import create
from lossagent.chat import Scripted
from lossagent.errors import Refused
from lossagent.experiment.sections import agent_section
from lossagent.goal import Constraint, Goal
from lossagent.simulator import Model, Problem, fit
from lossagent.study.outcome import Outcome
from lossagent.weights import Weights


@pytest.fixture(scope="module")
def model() -> Model:
    return fit(recorded())


def test_a_run_is_an_outcome_as_a_real_one(model: Model) -> None:
    one = Problem.of(model).run(Random(), 0)
    assert Outcome.model_validate_json(one.model_dump_json()) == one
    assert [s.id for s in one.states] == list(range(9))
    assert one.states[1].weights == INITIAL
    assert set(one.selection) == set(range(9))
    assert one.cost.iterations == 50 + 8 * 100
    assert one.test("BSD", "selected", "niqe") is not None
    assert one.test("BSD", "reference", "niqe") == pytest.approx(4.5)
    chosen = one.selection[one.selected].mean("niqe")
    assert chosen == min(f.mean("niqe") for f in one.selection.values() if f.mean("niqe") is not None)


def test_the_same_agent_and_seed_give_the_same_run(model: Model) -> None:
    first, second = (Problem.of(model).run(Rollback(Random()), 5) for _ in range(2))
    assert [s.model_copy(update={"score_seconds": 0.0}) for s in first.states] == [
        s.model_copy(update={"score_seconds": 0.0}) for s in second.states
    ]
    assert first.tests == second.tests


def test_agents_of_a_seed_begin_alike_and_share_their_luck(model: Model) -> None:
    problem = Problem.of(model)
    fixed = [problem.run(Fixed(), seed) for seed in range(12)]
    other = [problem.run(Random(), seed) for seed in range(12)]
    assert all(a.states[1].feedback == b.states[1].feedback for a, b in zip(fixed, other, strict=True))
    assert problem.start(3) == fixed[3].states[0].feedback
    close = [problem.run(Random(1.0001), seed) for seed in range(12)]  # nearly fixed
    last = [[one.states[-1].feedback.mean("niqe") for one in arm if one.states[-1].feedback] for arm in (fixed, close)]
    assert np.std(np.subtract(*last)) < np.std(last[0])


def test_agents_may_go_back(model: Model) -> None:
    runs = [Problem.of(model).run(Rollback(Random(4.0)), seed) for seed in range(10)]
    assert any(s.parent != s.id - 1 for one in runs for s in one.states[1:])
    for one in runs:
        for state in one.states[1:]:
            assert state.parent is not None
            assert state.depth == one.states[state.parent].depth + 1


@pytest.mark.parametrize(
    "settings", [{"kind": "random", "rollback": True}, {"kind": "climb"}, {"kind": "lookahead"}], ids=str
)
def test_agents_of_the_table_run(model: Model, settings: dict[str, object]) -> None:
    agent = create(agent_section(settings))
    assert isinstance(agent, Agent)
    assert len(Problem.of(model).run(agent, 1).states) == 9


def test_a_language_model_is_asked_as_in_a_real_run(model: Model) -> None:
    chat = Scripted(lambda messages, seed: "Weights: l1:perceptual:gan=1.0:0.1:0.02\nThoughts: more gan")
    one = Problem.of(model).run(LLM(chat, LLMOptions(answer="pattern")), 0)
    assert one.states[-1].weights is not None
    assert one.states[-1].weights["gan"] == pytest.approx(0.02)
    assert one.cost.questions == len(chat.calls) > 0
    assert "7.0" in chat.calls[0].messages[-1].content  # S_0's score stands in the prompt


def test_limits_relative_to_the_fixed_run_are_those_of_its_seed(model: Model) -> None:
    limit = Constraint(metric="psnr_y", at_least=-0.05, relative_to="fixed", unit=0.1)
    goal = Goal(targets=GOAL.targets, constraints=(limit,))
    problem = dataclasses.replace(Problem.of(model), goal=goal)
    one = problem.run(Random(4.0), 2)
    fixed = Problem.of(model).run(Fixed(), 2)
    kept = one.selection[one.selected].mean("psnr_y")
    beside = next(f for i, f in fixed.selection.items() if fixed.states[i].depth == one.states[one.selected].depth)
    assert kept is not None
    assert (least := beside.mean("psnr_y")) is not None
    assert kept >= least - 0.05 - 1e-9


def test_the_fixed_run_is_that_of_the_reference(model: Model) -> None:
    limit = Constraint(metric="psnr_y", at_least=-0.05, relative_to="fixed", unit=0.1)
    study = dataclasses.replace(Problem.of(model), goal=Goal(targets=GOAL.targets, constraints=(limit,)))
    other = Weights.of({"l1": 1.0, "perceptual": 0.3, "gan": 0.05})
    arm = dataclasses.replace(study, initial=other, reference=study)
    assert arm.beside(2) == study.beside(2)
    assert arm.beside(2) != dataclasses.replace(study, initial=other).beside(2)
    fixed = Problem.of(model).run(Fixed(), 2)
    assert arm.beside(2).selection == {fixed.states[i].depth: f for i, f in fixed.selection.items()}


def test_agents_know_the_fixed_run_where_the_study_said_so(model: Model) -> None:
    seen: list[int] = []

    @dataclasses.dataclass(frozen=True)
    class Looking(Fixed):
        def decide(self, view, recall):
            seen.append(len(view.fixed))
            return super().decide(view, recall)

    Problem.of(model).run(Looking(), 0)
    dataclasses.replace(Problem.of(model), know_fixed=True).run(Looking(), 0)
    assert seen == [0] * 7 + [9] * 7


def test_an_agent_that_needs_a_number_is_refused_for_a_wish(model: Model) -> None:
    wish = dataclasses.replace(Problem.of(model), goal=Goal(wish="no plastic skin"))
    with pytest.raises(Refused, match="wish"):
        wish.run(Rollback(Random()), 0)
