"""What holding out whole arms and seeds says of a model."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from truth import ARMS, recorded

from lossagent.errors import Refused
from lossagent.goal import Constraint
from lossagent.simulator import Fidelity, Recorded, check


def line(found: Fidelity, held: str, score: str) -> dict[str, float]:
    one = next(x for x in found.lines if x.held == held and x.score == score)
    return one.model_dump()


@pytest.fixture(scope="module")
def found() -> Fidelity:
    return check(recorded(seeds=4, stages=7))


@pytest.mark.parametrize("held", ["arm", "seed"])
def test_a_response_that_is_there_is_predicted_in_runs_not_seen(found: Fidelity, held: str) -> None:
    niqe = line(found, held, "feedback/niqe")
    assert niqe["r2"] > 0.8
    assert niqe["beyond_drift"] > 0.6
    assert niqe["rank"] > 0.6
    assert 0.75 <= niqe["coverage"] <= 0.98


def test_arms_rank_as_they_did(found: Fidelity) -> None:
    assert found.order is not None
    assert {x.arm for x in found.order.lines} == set(ARMS)
    assert found.order.pairs >= 0.8
    gained = {x.arm: x.predicted for x in found.order.lines}
    assert gained["fixed@little"] > gained["fixed"]


def test_predicted_checkpoints_keep_the_limits_as_recorded_ones_do() -> None:
    runs = recorded(seeds=4, stages=7)
    free = check(runs).order
    limit = Constraint(metric="niqe", at_least=0.0, relative_to="start", unit=0.1)
    goal = runs.setting.goal.model_copy(update={"constraints": (limit,)})
    limited = check(dataclasses.replace(runs, setting=runs.setting.model_copy(update={"goal": goal}))).order
    assert free is not None
    assert limited is not None
    assert max(line.predicted for line in free.lines) > 1
    assert all(abs(line.predicted) < 1e-9 for line in limited.lines), "S_0 alone scores no better than S_0"


def shuffled(runs: Recorded) -> Recorded:
    """The same runs under weights that had nothing to do with what happened."""
    rng = np.random.default_rng(0)
    outcomes = []
    for one in runs.outcomes:
        donor = runs.outcomes[int(rng.integers(len(runs.outcomes)))]
        states = [one.states[0]]
        for mine, theirs in zip(one.states[1:], donor.states[1:], strict=True):
            assert mine.decision is not None
            assert theirs.decision is not None
            decision = mine.decision.model_copy(update={"weights": theirs.decision.weights})
            states.append(mine.model_copy(update={"decision": decision}))
        outcomes.append(one.model_copy(update={"states": tuple(states)}))
    return dataclasses.replace(runs, outcomes=tuple(outcomes))


def test_where_weights_say_nothing_the_check_says_so() -> None:
    niqe = line(check(shuffled(recorded(seeds=4, stages=7))), "seed", "feedback/niqe")
    assert niqe["beyond_drift"] < 0.15


def test_what_cannot_be_held_out_is_said() -> None:
    found = check(recorded(seeds=4, arms=("random",), stages=7))
    assert {x.held for x in found.lines} == {"seed"}
    assert found.order is None
    assert found.notes == ("no arm can be held out: there is one, or too few runs are left without it.",)


def test_nothing_to_hold_out_is_refused() -> None:
    runs = recorded(seeds=1, arms=("fixed", "random"), stages=8)
    with pytest.raises(Refused, match="cannot be checked"):
        check(runs)
