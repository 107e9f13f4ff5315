"""Every agent against the conformance kit."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence

import pytest

from agents.kit import BOUNDS, TRAJECTORIES, check
from lossagent.agents import LLM, Agent, Fixed, LLMOptions, Random, Rollback
from lossagent.chat.scripted import Scripted
from lossagent.errors import ChatFailed
from lossagent.records import Message


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
    "moves": llm(answer="moves"),
    "json": llm(answer="json"),
    "pattern per image": llm(answer="pattern", query="per_image"),
    "moves per image": llm(answer="moves", query="per_image", switch=True),
    "paper": lambda: LLM(Scripted(obedient), LLMOptions.paper()),
    "away": lambda: LLM(Scripted(broken)),
    "nonsense": lambda: LLM(Scripted(lambda messages, seed: "I would rather not."), LLMOptions(retries=1)),
    "rollback(fixed)": lambda: Rollback(Fixed()),
    "rollback(random)": lambda: Rollback(Random()),
    "rollback(llm)": lambda: Rollback(LLM(Scripted(obedient))),
    "rollback(away)": lambda: Rollback(LLM(Scripted(broken)), {"niqe": 0.2}),
}


CASES = [(t, "default") for t in TRAJECTORIES]
CASES += [(t, b) for t in ("branching", "off") for b in BOUNDS if b != "default"]


@pytest.mark.parametrize(("trajectory", "bounds"), CASES)
@pytest.mark.parametrize("agent", AGENTS)
def test_agent_keeps_the_contract(agent: str, trajectory: str, bounds: str) -> None:
    check(AGENTS[agent], TRAJECTORIES[trajectory](), BOUNDS[bounds])
