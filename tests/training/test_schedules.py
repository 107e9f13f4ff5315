"""Learning rates are pure functions of the iteration."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from lossagent.experiment import parse
from lossagent.session import Session
from lossagent.training.optimizers import of_restorer
from lossagent.training.schedule import Schedule
from lossagent.training.settings import TrainingSettings
from tiny import experiment


def test_a_constant_rate_after_a_linear_warm_up() -> None:
    schedule = Schedule(warmup_iterations=4)
    assert [schedule.rate(0.8, i, 100) for i in (0, 1, 3, 4, 99)] == pytest.approx([0.2, 0.4, 0.8, 0.8, 0.8])
    assert Schedule().rate(1e-4, 12345, 10) == 1e-4


def test_a_cosine_equals_pytorchs() -> None:
    parameter = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=0.5)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=20, eta_min=0.1)
    schedule = Schedule(kind="cosine", minimum=0.1, warmup_iterations=5)
    for iteration in range(20):
        assert schedule.rate(0.5, 5 + iteration, 25) == pytest.approx(theirs.get_last_lr()[0])
        optimizer.step()
        theirs.step()
    assert schedule.rate(0.5, 25, 25) == schedule.rate(0.5, 1000, 25) == pytest.approx(0.1)
    assert Schedule(kind="cosine", iterations=10).rate(1.0, 5, 999) == pytest.approx(0.5)


def test_steps_halve_the_rate_at_milestones() -> None:
    schedule = Schedule(kind="steps", milestones=(250, 400))
    assert [schedule.rate(2e-4, i, 500) for i in (0, 249, 250, 399, 400)] == [2e-4, 2e-4, 1e-4, 1e-4, 5e-5]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "steps"}, "milestones"),
        ({"milestones": [3]}, "milestones"),
        ({"kind": "steps", "milestones": [5, 3]}, "rise"),
        ({"minimum": 1e-6}, "belong to kind: cosine"),
        ({"kind": "cosine", "iterations": 5, "warmup_iterations": 5}, "exceed"),
        ({"kind": "linear"}, "constant"),
    ],
)
def test_what_cannot_be_is_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Schedule.model_validate(settings)


def test_adamw_decays_weights_apart_from_the_gradient() -> None:
    settings = TrainingSettings(optimizer="adamw", weight_decay=0.1, learning_rate=0.5)
    parameter = nn.Parameter(torch.ones(1))
    optimizer = of_restorer([parameter], settings)
    parameter.grad = torch.zeros(1)
    optimizer.step()
    assert float(parameter.detach()) == pytest.approx(1 - 0.5 * 0.1)
    for wrong in ({"optimizer": "adamw"}, {"batch": 5, "accumulate": 2}):
        with pytest.raises(ValidationError, match=r"weight_decay|accumulate"):
            TrainingSettings.model_validate(wrong)


def test_the_rate_counts_along_the_path_and_survives_an_interruption(tmp_path: Path) -> None:
    import json

    data = experiment(tmp_path, agent={"kind": "random", "rollback": True})
    data["training"] |= {"schedule": {"kind": "cosine", "warmup_iterations": 2}, "accumulate": 2}
    session = Session.start(parse(data), tmp_path / "part")

    def stop(stage: object, done: int, total: int) -> None:
        session.stop.requested |= getattr(stage, "state", 0) == 2 and done == 3

    session.trainer.progress = stop
    with pytest.raises(KeyboardInterrupt):
        session.run()
    resumed = Session.resume(tmp_path / "part")
    resumed.run()
    settings = resumed.parts.experiment.training
    depths = {state.id: state.depth for state in resumed.steering.trajectory.states}
    rows = [json.loads(line) for line in (tmp_path / "part" / "losses.jsonl").read_text().splitlines()]
    assert [(r["state"], r["iteration"]) for r in rows if r["state"] == 2] == [(2, i) for i in range(6)]
    for row in rows:
        if row["state"] > 0:
            wanted = settings.rates((depths[row["state"]] - 1) * 6 + row["iteration"])[0]
            assert row["lr"] == wanted
