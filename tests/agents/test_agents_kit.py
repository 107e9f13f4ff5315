"""Every agent against the conformance kit."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence

import pytest

from agents.kit import CASES, INITIAL, TRAJECTORIES, Case, check, check_run
from lossagent.agents import LLM, Agent, Fixed, LLMOptions, Random, Rollback
from lossagent.agents.balance import Balance
from lossagent.agents.climb import Climb
from lossagent.agents.lookahead import Lookahead
from lossagent.agents.plans import Ramp, Steps, Table
from lossagent.agents.schedule import Schedule
from lossagent.chat.scripted import Scripted
from lossagent.errors import ChatFailed
from lossagent.records import Message
from lossagent.weights import Weights


def obedient(messages: Sequence[Message], seed: int) -> str:
    """Answers in whatever form the prompt shows."""
    text = messages[-1].content
    if match := re.search(r"'Weights: (.*?)=\?", text):
        numbers = [f"{0.01 + (seed % (7 + i)) / 10:.4f}" for i in range(len(match[1].split(":")))]
        return f"Weights: {match[1]}={':'.join(numbers)}\nThoughts: drawn"
    example = re.search(r'For example: (\{"thoughts".*\})', text)
    assert example
    answer = json.loads(example[1])
    for i, (key, value) in enumerate(answer.items()):
        if key != "thoughts":
            moves = ["lower", "keep", "raise"]
            answer[key] = moves[(seed + i) % 3] if isinstance(value, str) else 0.01 + (seed % (7 + i)) / 10
    return json.dumps(answer)


def broken(messages: Sequence[Message], seed: int) -> ChatFailed:
    del messages, seed
    return ChatFailed("the server is away")


def llm(**options: object) -> Callable[[], Agent]:
    return lambda: LLM(Scripted(obedient), LLMOptions.model_validate(options))


AGENTS: dict[str, Callable[[], Agent]] = {
    "fixed": Fixed,
    "random": Random,
    "random spread": lambda: Random(spread=3.0),
    "climb": Climb,
    "climb without restarts": lambda: Climb(step=2.0, restart=False),
    "lookahead": Lookahead,
    "lookahead of three": lambda: Lookahead(width=3, step=8.0),
    "balance": Balance,
    "balance of rates": lambda: Balance(momentum=0.0, alpha=1.5),
    "moves": llm(answer="moves"),
    "json": llm(answer="json"),
    "pattern per image": llm(answer="pattern", query="per_image"),
    "moves per image": llm(answer="moves", query="per_image", switch=True),
    "paper": lambda: LLM(Scripted(obedient), LLMOptions.paper()),
    "away": lambda: LLM(Scripted(broken)),
    "nonsense": lambda: LLM(Scripted(lambda messages, seed: "I would rather not."), LLMOptions(retries=1)),
    "rollback with a tolerance": lambda: Rollback(Random(), {"niqe": 0.2}),
}
"""One line for each kind of agent, and one for each option that changes what it does; all are guarded, too."""


def linear(initial: Weights) -> Agent:
    return Schedule(Ramp({name: 0.5 for name in initial.names if name not in initial.off}))


FITTED: dict[str, Callable[[Weights], Agent]] = {
    "linear": linear,
    "cosine": lambda initial: Schedule(Ramp({next(n for n in initial.names if n not in initial.off): 2.0}, "cosine")),
    "step": lambda initial: Schedule(Steps({2: dict.fromkeys(initial.names[len(initial.off) :], 0.3)})),
    "table": lambda initial: Schedule(Table([initial.values(), dict.fromkeys(initial.names, 0.3)])),
    "balance with shares": lambda initial: Balance({initial.names[0]: 0.5} if len(initial.names) > 1 else {}),
}
"""Agents whose settings name losses, made for those of a run."""


def made_for(agent: str, initial: Weights) -> Callable[[], Agent]:
    return AGENTS[agent] if agent in AGENTS else lambda: FITTED[agent](initial)


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("agent", [*AGENTS, *FITTED])
def test_an_agent_keeps_the_contract(agent: str, case: Case) -> None:
    check(made_for(agent, TRAJECTORIES[case.trajectory]().initial), case)


@pytest.mark.parametrize("agent", [*AGENTS, *FITTED])
def test_a_guarded_agent_keeps_the_contract(agent: str) -> None:
    for case in CASES:
        make = made_for(agent, TRAJECTORIES[case.trajectory]().initial)
        check(lambda make=make: Rollback(make()), case)


@pytest.mark.parametrize("agent", [*AGENTS, *FITTED])
def test_a_run_that_is_resumed_after_every_stage_is_the_same(agent: str) -> None:
    make = made_for(agent, INITIAL)
    assert check_run(make).initial == INITIAL
    assert check_run(lambda: Rollback(make())).initial == INITIAL
