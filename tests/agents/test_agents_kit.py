"""Every agent against the conformance kit."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from agents.kit import CASES, INITIAL, TRAJECTORIES, Case, check, check_run, check_run_by_hand
from lossagent.agents import LLM, Agent, Fixed, LLMOptions, Random, Recall, Rollback, View
from lossagent.agents.balance import Balance
from lossagent.agents.climb import Climb
from lossagent.agents.hybrid import Hybrid, HybridOptions
from lossagent.agents.lookahead import Lookahead
from lossagent.agents.plans import Ramp, Steps, Table
from lossagent.agents.respond import Respond
from lossagent.agents.schedule import Schedule
from lossagent.agents.search import Search
from lossagent.agents.sweep import Sweep
from lossagent.chat.scripted import Scripted
from lossagent.errors import ChatFailed
from lossagent.records import Decision, Message
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
        if key == "choice":
            answer[key] = "AB"[seed % 2]
        elif key != "thoughts":
            moves = ["lower", "keep", "raise"]
            answer[key] = moves[(seed + i) % 3] if isinstance(value, str) else 0.01 + (seed % (7 + i)) / 10
    return json.dumps(answer)


def broken(messages: Sequence[Message], seed: int) -> ChatFailed:
    del messages, seed
    return ChatFailed("the server is away")


def torn(messages: Sequence[Message], seed: int) -> str:
    """Log-probabilities of two options that depend on the question."""
    del messages
    return json.dumps({"A": -0.1 - seed % 7, "B": -0.1 - seed % 5})


def lettered(messages: Sequence[Message], seed: int) -> str:
    """One of the first two options, in a word."""
    del messages
    return "AB"[seed % 2]


def llm(**options: object) -> Callable[[], Agent]:
    return lambda: LLM(Scripted(obedient), LLMOptions.model_validate(options))


AGENTS: dict[str, Callable[[], Agent]] = {
    "fixed": Fixed,
    "random": Random,
    "random spread": lambda: Random(spread=3.0),
    "respond": Respond,
    "respond by draws": lambda: Respond(explore="thompson", restart="never"),
    "respond after worse": lambda: Respond(explore="mean", restart="worse"),
    "climb": Climb,
    "climb without restarts": lambda: Climb(step=2.0, restart=False),
    "lookahead": Lookahead,
    "lookahead of three": lambda: Lookahead(width=3, step=8.0),
    "balance": Balance,
    "balance of rates": lambda: Balance(momentum=0.0, alpha=1.5),
    "search": Search,
    "search by CMA-ES from the best": lambda: Search("cmaes", "best"),
    "search by TPE from the start": lambda: Search("tpe", "start", "score"),
    "search at random": lambda: Search("random"),
    "sweep": Sweep,
    "sweep of longer trials": lambda: Sweep(count=2, trial=2),
    "moves": llm(answer="moves"),
    "json": llm(answer="json"),
    "pattern per image": llm(answer="pattern", query="per_image"),
    "moves per image": llm(answer="moves", query="per_image", switch=True),
    "choice": llm(answer="choice", evidence=True),
    "choice per image": llm(answer="choice", query="per_image", share=True, switch=True),
    "paper": lambda: LLM(Scripted(obedient), LLMOptions.paper()),
    "away": lambda: LLM(Scripted(broken)),
    "nonsense": lambda: LLM(Scripted(lambda messages, seed: "I would rather not."), LLMOptions(retries=1)),
    "hybrid": lambda: Hybrid(Scripted(torn)),
    "hybrid of moves": lambda: Hybrid(Scripted(lettered), HybridOptions(ask="choice", source="moves")),
    "hybrid without log-probabilities": lambda: Hybrid(Scripted(lettered)),
    "hybrid away": lambda: Hybrid(Scripted(broken), HybridOptions(retries=0)),
    "rollback with a tolerance": lambda: Rollback(Random(), {"niqe": 0.2}),
}
"""One line for each kind of agent, and one for each option that changes what it does; all are guarded, too."""


def on(initial: Weights) -> list[str]:
    return [name for name in initial.names if name not in initial.off]


FITTED: dict[str, Callable[[Weights], Agent]] = {
    "linear": lambda initial: Schedule(Ramp(dict.fromkeys(on(initial), 0.5))),
    "cosine": lambda initial: Schedule(Ramp({on(initial)[0]: 2.0}, "cosine")),
    "step": lambda initial: Schedule(Steps({2: dict.fromkeys(on(initial), 0.3), 3: {on(initial)[0]: 2.0}})),
    "table": lambda initial: Schedule(Table([initial.values(), dict.fromkeys(initial.names, 0.3)])),
    "balance with shares": lambda initial: Balance({initial.names[0]: 0.5} if len(initial.names) > 1 else {}),
}
"""Agents whose settings name losses, made for those of a run."""


def made_for(agent: str, initial: Weights) -> Callable[[], Agent]:
    return AGENTS[agent] if agent in AGENTS else lambda: FITTED[agent](initial)


@contextmanager
def named(case: Case) -> Generator[None]:
    """A failure tells in which case."""
    try:
        yield
    except Exception as error:
        error.add_note(f"in case: {case}")
        raise


@pytest.mark.parametrize("agent", [*AGENTS, *FITTED])
def test_an_agent_keeps_the_contract(agent: str) -> None:
    for case in CASES:
        with named(case):
            check(made_for(agent, TRAJECTORIES[case.trajectory]().initial), case)


@pytest.mark.parametrize("agent", [*AGENTS, *FITTED])
def test_a_guarded_agent_keeps_the_contract(agent: str) -> None:
    for case in (case for case in CASES if case == Case(case.trajectory)):
        make = made_for(agent, TRAJECTORIES[case.trajectory]().initial)
        with named(case):
            check(lambda make=make: Rollback(make()), case)


@dataclass(frozen=True)
class Wrong:
    """An agent that breaks one rule."""

    rule: str
    name: str = "wrong"
    needs_restart: bool = False
    needs_utility: bool = False
    asked: list[int] = field(default_factory=list[int])

    def decide(self, view: View, recall: Recall) -> Decision:
        del recall
        self.asked.append(view.seed)
        weights, start, author = view.previous, view.head.id, self.name
        match self.rule:
            case "state":
                weights = Weights.of({n: float(len(self.asked)) for n in weights.names})
            case "chance":
                weights = Weights.of({n: random.random() + 0.1 for n in weights.names})
            case "names":
                weights = Weights.of({"other": 1.0})
            case "author":
                author = "somebody"
            case _:
                start = min(view.restorable, default=0)
        return Decision(author=author, proposed=weights, weights=weights, restart_from=start)


@pytest.mark.parametrize("rule", ["state", "chance", "names", "author", "restart"])
def test_the_kit_notices_who_breaks_a_rule(rule: str) -> None:
    noticed = 0
    for case in CASES:
        try:
            check(lambda: Wrong(rule), case)
        except AssertionError:
            noticed += 1
    assert noticed > len(CASES) / 2


def test_the_kit_notices_a_stage_that_is_trained_twice() -> None:
    with pytest.raises(AssertionError):
        check(lambda: Wrong("restart", needs_restart=True), Case("back at the start"))


@pytest.mark.parametrize("agent", [*AGENTS, *FITTED])
def test_a_run_that_is_resumed_after_every_stage_is_the_same(agent: str) -> None:
    make = made_for(agent, INITIAL)
    assert check_run(make).initial == INITIAL
    assert check_run(lambda: Rollback(make())).initial == INITIAL


@pytest.mark.parametrize("agent", [*AGENTS, *FITTED])
def test_a_run_that_people_steer_too_goes_through_with_hardly_a_checkpoint(agent: str) -> None:
    make = made_for(agent, INITIAL)
    assert check_run_by_hand(make).initial == INITIAL
    assert check_run_by_hand(lambda: Rollback(make())).initial == INITIAL
