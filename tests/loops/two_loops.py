"""What each of two processes does in test_shared.py: `torchrun two_loops.py FOLDER`."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import torch
from little_loop import GOAL, LOSSES, TERMS, Point

import lossagent
from lossagent import Course, Every, Shared, Snapshots, WeightedSum
from lossagent.errors import Refused
from lossagent.loops.course import Scores
from lossagent.training.ranks import Ranks

GUARDED = {"kind": "random", "rollback": True, "spread": 8.0}


def begun(folder: Path, agent: object = "random", seed: int = 0, ranks: Ranks | None = None) -> Shared:
    """A steering of both; only process 0 may make one."""

    def make() -> lossagent.Steering:
        assert Ranks.here().main
        again = agent == GUARDED
        stages = 8 if again else 3
        return lossagent.steer(
            folder, LOSSES, goal=GOAL, score="elsewhere", stages=stages, agent=agent, seed=seed, can_restart=again
        )

    return Shared(make, ranks)


def trained(steering: Shared, every: Every, folder: Path | None = None, steps: int = 1000) -> list[object]:
    """Trains to the end, or so many steps; the weights of each step and where the network came to."""
    net = Point()
    criterion = WeightedSum(steering, TERMS, measure_every=2)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.05)
    snapshots = Snapshots(folder, net=net, optimizer=optimizer) if folder is not None else None

    def score() -> Scores:
        assert steering.main
        return {"miss": float((net.place - 0.5).abs().mean())}

    seen: list[object] = []
    with Course(steering, every, score=score, criterion=criterion, snapshots=snapshots) as course:
        while not course.over and len(seen) < steps:
            if every.seconds is not None:
                time.sleep(0.02 * (1 + steering.ranks.rank))  # their clocks and their patience differ
            loss = criterion(net(torch.zeros(1, 2)), torch.zeros(1, 2))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            course.step()
            seen.append({**course.weights, "place": net.place.tolist()})
    return seen


def main(folder: Path) -> None:
    ranks = Ranks.join()
    assert ranks.size == 2
    nets = folder / "back" / "nets"
    found: dict[str, object] = {
        "steps": trained(begun(folder / "steps"), Every(steps=4)),
        "seconds": trained(begun(folder / "seconds"), Every(seconds=0.1)),
        "cut": trained(begun(folder / "back", GUARDED), Every(steps=4), nets, steps=6),
        "back": trained(begun(folder / "back", GUARDED), Every(steps=4), nets),
    }
    shared = begun(folder / "told")
    try:
        shared.tell(0, scores={"other": 1.0} if ranks.main else None)
    except Refused as error:
        found["refused"] = str(error)
    shared.close()
    try:
        begun(folder / "steps", seed=7)
    except Refused as error:
        found["changed"] = str(error)
    (folder / f"rank-{ranks.rank}.json").write_text(json.dumps(found))
    ranks.leave()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
