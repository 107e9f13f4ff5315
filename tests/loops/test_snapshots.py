"""Checkpoints of anything with a state_dict."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from lossagent import Snapshots, State
from lossagent.errors import Damaged, DoesNotFit, Refused


class Holder:
    """Something with a state."""

    def __init__(self, state=None):
        self.state = state

    def state_dict(self):
        return self.state

    def load_state_dict(self, state_dict):
        self.state = state_dict


def back(tmp_path, state):
    """A state after it was saved and loaded."""
    holder = Holder(state)
    snapshots = Snapshots(tmp_path, thing=holder)
    snapshots.save(0)
    holder.state = None
    snapshots.load(0)
    return holder.state


@pytest.mark.parametrize(
    "state",
    [
        {},
        None,
        "words",
        {"a": [], "b": (), "c": {}},
        {0: 1, "0": 2, True: None},
        {"nested": [(1, 2.5), [{"deep": ("x", None, False)}]]},
        {"tensor": {"pairs": [1]}, "list": "tuple"},
        [1, -2.0, math.inf],
    ],
)
def test_plain_data_come_back_with_their_kinds(tmp_path, state):
    found = back(tmp_path, state)
    assert found == state
    assert repr(found) == repr(state)


def test_tensors_come_back_wherever_they_were(tmp_path):
    kept = {
        "a.b": torch.arange(3),
        "a": {"b": torch.ones(2, dtype=torch.bfloat16), 1: torch.tensor(5.0), "1": torch.tensor(6.0)},
        "list": [torch.zeros(0), (torch.eye(2).t(),)],
        "view": torch.arange(12.0).reshape(3, 4)[:, 1],
    }
    kept["same"] = kept["view"]
    found = back(tmp_path, kept)
    assert repr(found) == repr(kept)
    assert found["a"]["b"].dtype == torch.bfloat16


def test_a_part_that_is_called_as_ours_are_spoils_nothing(tmp_path):
    torch.manual_seed(7)
    holder = Holder(torch.ones(3))
    snapshots = Snapshots(tmp_path, rng=holder)
    snapshots.save(0)
    drawn = torch.rand(1)
    snapshots.load(0)
    assert torch.equal(holder.state, torch.ones(3))
    assert torch.equal(torch.rand(1), drawn)


def trained(net, optimizer, scheduler, steps):
    for _ in range(steps):
        net(torch.rand(2, 3)).square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()
        scheduler.step()
    return [p.detach().clone() for p in net.parameters()]


@pytest.mark.parametrize("kind", ["adamw", "sgd", "lbfgs"])
def test_training_goes_on_exactly_with_nested_optimizers_and_schedules(tmp_path, kind):
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    parts = [{"params": net[0].parameters(), "lr": 0.1}, {"params": net[2].parameters()}]
    if kind == "lbfgs":
        inner = torch.optim.LBFGS(net.parameters(), max_iter=2)

        class Closed:
            """An optimizer that wants a closure; its state holds lists of tensors."""

            param_groups, zero_grad = inner.param_groups, inner.zero_grad
            state_dict, load_state_dict = inner.state_dict, inner.load_state_dict

            @staticmethod
            def step():
                inner.step(lambda: sum(p.square().sum() for p in net.parameters()))

        optimizer = Closed()
        schedule = Holder({})
        schedule.step = lambda: None
    else:
        made = {"adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}[kind]
        optimizer = made(parts, lr=0.05)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, [0.1, 0.2], total_steps=50)
    snapshots = Snapshots(tmp_path, net=net, optimizer=optimizer, schedule=schedule)
    trained(net, optimizer, schedule, 3)
    snapshots.save(1)
    expected = trained(net, optimizer, schedule, 3)
    snapshots.load(1)
    found = trained(net, optimizer, schedule, 3)
    assert all(torch.equal(a, b) for a, b in zip(expected, found, strict=True))


@pytest.mark.parametrize(
    ("state", "what"),
    [
        ({"f": print}, "thing.f is a builtin_function_or_method"),
        ({"deep": [{"x": {1, 2}}]}, "thing.deep.0.x is a set"),
        ({(1, 2): 3}, r"thing has the key \(1, 2\)"),
        ({1.5: 3}, "thing has the key 1.5"),
    ],
)
def test_what_a_checkpoint_cannot_hold_is_refused_by_its_place(tmp_path, state, what):
    with pytest.raises(Refused, match=what):
        Snapshots(tmp_path, thing=Holder(state)).save(0)
    assert list(tmp_path.iterdir()) == []


def test_other_parts_and_missing_states_are_refused(tmp_path):
    with pytest.raises(Refused, match="name what is saved"):
        Snapshots(tmp_path)
    snapshots = Snapshots(tmp_path, a=Holder({}))
    snapshots.save(0)
    with pytest.raises(Refused, match="no checkpoint of state 1"):
        snapshots.load(1)
    with pytest.raises(Refused, match="holds a; wanted a, b"):
        Snapshots(tmp_path, a=Holder({}), b=Holder({})).load(0)


def test_a_part_that_is_another_one_is_named(tmp_path):
    Snapshots(tmp_path, net=nn.Linear(2, 2)).save(0)
    with pytest.raises(DoesNotFit, match=r"(?s)net does not fit the checkpoint of state 0 in .*size mismatch"):
        Snapshots(tmp_path, net=nn.Linear(2, 3)).load(0)


@pytest.mark.parametrize("name", ["tensors.safetensors", "state.json", "manifest.json"])
def test_a_damaged_file_is_noticed_and_nothing_is_changed(tmp_path, name):
    holder = Holder({"w": torch.ones(4)})
    snapshots = Snapshots(tmp_path, thing=holder)
    snapshots.save(0)
    file = tmp_path / "state-0000" / name
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)
    holder.state = before = {"w": torch.zeros(4)}
    with pytest.raises(Damaged, match="state-0000"):
        snapshots.load(0)
    assert holder.state is before


def test_a_state_is_replaced_and_let_go(tmp_path):
    holder = Holder({"n": 1})
    snapshots = Snapshots(tmp_path, thing=holder)
    snapshots.save(2)
    holder.state = {"n": 2}
    snapshots.save(2)
    snapshots.load(2)
    assert holder.state == {"n": 2}
    snapshots.release(State(id=2, parent=1, depth=2))
    assert not snapshots.has(2)
    snapshots.release(State(id=2, parent=1, depth=2))
