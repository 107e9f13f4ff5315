"""The loss log: means, skipped iterations, cutting back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from lossagent.errors import Diverged
from lossagent.training.losslog import LossLog, cut_back


def row(l1: float, bad: bool = False) -> dict[str, torch.Tensor]:
    return {"raw/l1": torch.tensor(l1), "total": torch.tensor(2 * l1), "bad": torch.tensor(float(bad))}


def log(path: Path | None, limit: int = 3) -> LossLog:
    return LossLog(path, state=2, rate=1e-4, batch=8, max_skipped=limit)


def test_means_leave_skipped_iterations_out(tmp_path: Path) -> None:
    losses = log(tmp_path / "losses.jsonl")
    losses.add(0, ("a",), row(1.0))
    losses.add(1, ("b",), row(float("nan"), bad=True))
    losses.add(2, ("c",), row(3.0))
    warnings = losses.flush()
    assert losses.means("raw/") == {"l1": 2.0}
    assert losses.skipped == 1
    assert "raw/l1" in warnings[0]
    assert "images b" in warnings[0]
    lines = [json.loads(line) for line in (tmp_path / "losses.jsonl").read_text().splitlines()]
    assert [line["iteration"] for line in lines] == [0, 1, 2]
    assert lines[1]["raw"]["l1"] is None


def test_too_many_in_a_row_end_the_run_and_name_the_loss() -> None:
    losses = log(None)
    for i in range(3):
        losses.add(i, ("a",), row(float("inf"), bad=True))
    losses.add(3, ("a",), row(1.0))
    with pytest.raises(Diverged, match="raw/l1"):
        losses.flush()


def test_a_good_iteration_starts_the_count_anew() -> None:
    losses = log(None)
    for i in range(8):
        losses.add(i, ("a",), row(1.0, bad=i % 3 != 2))
    losses.flush()
    assert losses.skipped == 6


def test_losses_that_switch_on_inside_a_stage_are_logged() -> None:
    losses = log(None)
    losses.add(0, ("a",), {"discriminator/gan": torch.tensor(1.0)})
    losses.add(1, ("a",), row(1.0))
    losses.flush()
    assert losses.means("discriminator/") == {"gan": 1.0}


def test_cutting_back_removes_what_is_trained_again_and_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "losses.jsonl"
    lines = [{"state": s, "iteration": i} for s in (1, 2) for i in range(4)]
    path.write_text("".join(json.dumps(x) + "\n" for x in lines) + '{"state": 2, "iter')
    cut_back(path, 2, 2)
    kept = [json.loads(line) for line in path.read_text().splitlines()]
    assert kept == [x for x in lines if x["state"] == 1 or x["iteration"] < 2]


def test_a_partial_state_goes_on(tmp_path: Path) -> None:
    first, second = log(None), log(None)
    first.add(0, ("a",), row(1.0))
    first.flush()
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    second.add(1, ("a",), row(2.0))
    second.flush()
    assert second.means("raw/") == {"l1": 1.5}
