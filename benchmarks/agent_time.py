"""How long an agent takes for a decision after 100 stages, the language model aside.

    python benchmarks/agent_time.py [--stages 100] [--losses 3] [--rounds 7]

The reference is the `fixed` agent on the same view; the limit is 50 ms of processor time a decision.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np

from lossagent.agents.base import Agent, View, forget
from lossagent.agents.table import AGENTS, create, settings_of
from lossagent.chat.scripted import Scripted
from lossagent.feedback import Feedback, MetricFacts
from lossagent.goal import Goal, Target
from lossagent.records import Decision, Evidence, StageReport, State
from lossagent.trajectory import Trajectory
from lossagent.weights import Bounds, Weights

LIMIT = 0.05
REPLY = '{"thoughts": "", "choice": "A"}'


def view(stages: int, losses: int, images: int = 14) -> View:
    """A path with drifting weights and noisy scores."""
    rng = np.random.default_rng(0)
    names = ["l1", *(f"loss{i}" for i in range(1, losses))]
    facts = MetricFacts(
        name="niqe", direction="lower", low=0.0, high=None, needs_reference=False, unit=0.1,
        implementation="benchmark", version="1",
    )  # fmt: skip
    initial = Weights.of(dict.fromkeys(names, 0.1) | {"l1": 1.0})
    states: list[State] = []
    logs = np.zeros(losses - 1)
    for i in range(stages + 1):
        logs = np.clip(logs + rng.normal(0, 0.4, losses - 1), -2, 2)
        weights = Weights.of({"l1": 1.0} | {n: 0.1 * float(np.exp(x)) for n, x in zip(names[1:], logs, strict=True)})
        scores = 6.5 + 0.2 * float(logs @ logs) / losses + rng.normal(0, 0.1) + rng.normal(0, 0.5, images)
        evidence = Evidence(
            raw=dict.fromkeys(names, 0.1),
            image_norms=dict.fromkeys(names, 1.0),
            layer_norms={n: float(rng.uniform(0.1, 2)) for n in names},
        )
        states.append(
            State(
                id=i,
                parent=i - 1 if i else None,
                depth=i,
                decision=Decision(author="b", proposed=weights, weights=weights, restart_from=i - 1) if i else None,
                report=StageReport(iterations=100, losses=dict.fromkeys(names, 0.1), evidence=evidence),
                feedback=Feedback(scores={"niqe": {f"i{k}": float(s) for k, s in enumerate(scores)}}),
            )
        )
    trajectory = Trajectory(tuple(states), initial, stages + 10, stages)
    return View(
        trajectory=trajectory,
        head=trajectory.head,
        goal=Goal(targets=(Target(metric="niqe", direction="lower", unit=0.1),)),
        bounds=Bounds(),
        metrics={"niqe": facts},
        seed=0,
        stage_iterations=100,
        stages_left=10,
    )


def agents() -> dict[str, Agent]:
    """Every kind with its defaults, where it has any, and each method of search."""
    chat = Scripted(lambda messages, seed: REPLY)
    found: dict[str, Agent] = {}
    for kind in AGENTS:
        if kind == "schedule":
            found[kind] = create(settings_of(kind).model_validate({"shape": "cosine", "end": {"loss1": 0.5}}))
        elif kind == "search":
            for method in ("cmaes", "tpe", "gp", "random"):
                found[f"search {method}"] = create(settings_of(kind).model_validate({"method": method}))
        else:
            found[kind] = create(settings_of(kind)(), chat)
    found["rollback(random)"] = create(settings_of("random").model_validate({"rollback": True}))
    return found


def main() -> None:
    """Prints a line for each agent."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stages", type=int, default=100)
    parser.add_argument("--losses", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=7)
    asked = parser.parse_args()
    seen = view(asked.stages, asked.losses)
    times: dict[str, float] = {}
    for name, agent in agents().items():
        took: list[float] = []
        for _ in range(asked.rounds + 1):  # the first one imports
            began = time.process_time()
            agent.decide(seen, forget)
            took.append(time.process_time() - began)
        times[name] = statistics.median(took[1:])
    reference = max(times["fixed"], 1e-9)
    print(f"{asked.stages} stages, {asked.losses} losses, median of {asked.rounds}; processor time")
    for name, seconds in times.items():
        mark = "" if seconds < LIMIT else f"   over {1000 * LIMIT:.0f} ms"
        print(f"{name:18} {1000 * seconds:9.2f} ms   {seconds / reference:9.0f} x fixed{mark}")


if __name__ == "__main__":
    main()
