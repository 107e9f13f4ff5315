"""Settings of agents, and the two baselines."""

from __future__ import annotations

import math

import pytest
from pydantic import TypeAdapter, ValidationError

from agents.kit import grow, line, niqe, seen, weights
from lossagent.agents import LLM, Agent, AgentSettings, Fixed, LLMOptions, Random, Rollback, create, forget
from lossagent.agents.fixed import FixedSettings
from lossagent.agents.llm.settings import LLMSettings
from lossagent.agents.random_weights import RandomSettings
from lossagent.chat.scripted import Scripted
from lossagent.errors import Refused
from lossagent.weights import Bounds, Weights

SETTINGS: TypeAdapter[FixedSettings | RandomSettings | LLMSettings] = TypeAdapter(AgentSettings)


def made(**data: object) -> Agent:
    return create(SETTINGS.validate_python(data), Scripted([]))


def test_agents_by_their_kind() -> None:
    assert made(kind="fixed") == Fixed()
    assert made(kind="random", spread=3.0) == Random(3.0)
    agent = made(kind="llm", query="per_image", answer="pattern", evidence=False, history=2, step=3)
    assert isinstance(agent, LLM)
    assert agent.options.answer == "pattern"
    assert not any(agent.options.evidence.model_dump().values())


def test_rollback_is_a_field_of_every_agent() -> None:
    assert made(kind="fixed", rollback=True) == Rollback(Fixed())
    assert made(kind="random", rollback={"tolerance": {"niqe": 0.2}}) == Rollback(Random(), {"niqe": 0.2})
    assert made(kind="llm", rollback=True).name == "rollback(llm)"
    assert made(kind="llm", rollback=False).name == "llm"


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"kind": "magic"},
        {"kind": "fixed", "spread": 2.0},
        {"kind": "random", "spread": 1.0},
        {"kind": "llm", "answer": "prose"},
        {"kind": "llm", "history": 0},
        {"kind": "llm", "retries": -1},
        {"kind": "llm", "temperature": 1.0},
        {"kind": "llm", "evidence": {"magic": True}},
        {"kind": "fixed", "rollback": {"tolerance": {"niqe": -1.0}}},
        {"kind": "fixed", "rollback": {"when": "never"}},
    ],
)
def test_what_is_no_agent_is_refused(data: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        SETTINGS.validate_python(data)


def test_settings_survive_a_round_trip() -> None:
    for data in (
        {"kind": "llm", "rollback": {"tolerance": {"niqe": 0.1}}, "history": 2},
        {"kind": "random", "rollback": True},
        {"kind": "fixed"},
    ):
        settings = SETTINGS.validate_python(data)
        assert SETTINGS.validate_json(SETTINGS.dump_json(settings)) == settings


def test_a_language_model_is_needed_where_one_is_asked() -> None:
    with pytest.raises(Refused, match="'chat' section"):
        create(LLMSettings())
    assert create(FixedSettings()) == Fixed()


def test_the_papers_options_are_the_papers() -> None:
    paper = LLMOptions.paper()
    assert (paper.query, paper.answer, paper.direction, paper.history, paper.example) == (
        "per_image", "pattern", "on", "all", True,
    )  # fmt: skip
    assert not paper.constrain
    assert not any(paper.evidence.model_dump().values())


def test_fixed_is_the_initial_weights() -> None:
    trajectory = line(6.0, 5.0)
    decision = Fixed().decide(seen(trajectory), forget)
    assert (decision.weights, decision.restart_from) == (trajectory.initial, 2)


def test_random_moves_around_the_head_inside_the_trust_region_and_leaves_the_anchor() -> None:
    head = weights(1.0, 0.5, 0.05)
    trajectory = grow([(0, weights(1.0, 0.1, 0.01), niqe(6.0)), (1, head, niqe(5.0))])
    drawn = [Random().decide(seen(trajectory, Bounds(), seed=s), forget).weights for s in range(200)]
    assert {w["l1"] for w in drawn} == {1.0}
    ratios = [math.log(w["gan"] / head["gan"]) for w in drawn]
    assert max(ratios) <= math.log(4) * 1.0001
    assert min(ratios) >= -math.log(4) * 1.0001
    assert abs(sum(ratios) / len(ratios)) < 0.2  # as often up as down
    assert max(ratios) > 1.2
    assert min(ratios) < -1.2
    near = [Random(spread=1.1).decide(seen(trajectory, Bounds(), seed=s), forget).weights["gan"] for s in range(50)]
    assert all(1 / 1.1001 < w / head["gan"] < 1.1001 for w in near)


def test_random_without_a_trust_region_draws_around_the_initial_weights() -> None:
    trajectory = grow([(0, weights(1.0, 0.1, 0.01), niqe(6.0)), (1, weights(1.0, 9.0, 9.0), niqe(5.0))])
    drawn = [Random().decide(seen(trajectory, Bounds.none(), seed=s), forget).weights["gan"] for s in range(100)]
    assert all(0.001 * 0.999 <= w <= 0.1 * 1.001 for w in drawn)


def test_random_stays_inside_the_box_and_freezes_what_is_frozen() -> None:
    bounds = Bounds(per_loss={"gan": (0.009, 0.011)}, frozen=frozenset({"perceptual"}))
    trajectory = line(6.0)
    for s in range(30):
        w = Random().decide(seen(trajectory, bounds, seed=s), forget).weights
        assert w["perceptual"] == trajectory.initial["perceptual"]
        assert 0.009 <= w["gan"] <= 0.011
        assert w["l1"] != 1.0  # the frozen loss is the anchor


def test_random_leaves_losses_off_that_are_off() -> None:
    off = Weights.of({"l1": 1.0, "perceptual": 0.1, "gan": 0.0})
    decision = Random().decide(seen(grow([(0, off, niqe(6.0))])), forget)
    assert decision.weights.off == {"gan"}


@pytest.mark.parametrize("spread", [1.0, 0.5, math.nan, math.inf])
def test_a_spread_that_is_no_factor_is_refused(spread: float) -> None:
    with pytest.raises(Refused, match="spread"):
        Random(spread)
