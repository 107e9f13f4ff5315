"""A steering of two losses whose scores are told."""

import lossagent

LOSSES = {"near": 1.0, "far": 0.1}
GOAL = {"targets": [{"metric": "miss", "direction": "lower", "unit": 0.01}]}
TERMS = {
    "near": lambda restored, target: (restored - target).square().mean(),
    "far": lambda restored, target: (restored - target - 1).square().mean(),
}
WILD = {"kind": "random", "rollback": True, "spread": 8.0}


def little(folder, agent="random", stages=4, **more):
    return lossagent.steer(folder, LOSSES, goal=GOAL, score="elsewhere", agent=agent, stages=stages, **more)
