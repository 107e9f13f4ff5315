"""Checkpoints: whole or not at all, verified on load, bit-exact."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
import torch

from lossagent.errors import Damaged, Failed
from lossagent.training import checkpoints


def save(folder: Path, value: float = 1.0) -> None:
    checkpoints.save(folder, {"restorer": {"w": torch.full((3, 2), value)}}, {"step": 7})


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    save(tmp_path / "state-0001")
    tensors, state = checkpoints.load(tmp_path / "state-0001")
    assert torch.equal(tensors["restorer"]["w"], torch.ones(3, 2))
    assert state == {"step": 7}
    assert not list(tmp_path.glob("*.tmp"))


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda f: f.write_bytes(f.read_bytes()[:-1] + bytes([f.read_bytes()[-1] ^ 1])), "changed"),
        (lambda f: f.write_bytes(f.read_bytes()[:-4]), "bytes"),
        (lambda f: f.unlink(), "missing"),
    ],
)
def test_damage_is_noticed(tmp_path: Path, harm, message: str) -> None:
    save(tmp_path / "state")
    harm(tmp_path / "state" / "restorer.safetensors")
    with pytest.raises(Damaged, match=message):
        checkpoints.load(tmp_path / "state")


def test_an_unfinished_folder_is_no_checkpoint(tmp_path: Path) -> None:
    save(tmp_path / "state")
    (tmp_path / "state" / "manifest.json").unlink()
    with pytest.raises(Damaged, match=r"manifest\.json"):
        checkpoints.verify(tmp_path / "state")


def test_a_full_disk_leaves_the_last_one_intact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "state", 1.0)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoints, "save_file", full)
    with pytest.raises(Failed, match="disk is full"):
        save(tmp_path / "state", 2.0)
    monkeypatch.undo()
    tensors, _ = checkpoints.load(tmp_path / "state")
    assert torch.equal(tensors["restorer"]["w"], torch.ones(3, 2))
    assert not list(tmp_path.glob("*.tmp"))


def test_a_crash_between_the_two_renames_is_mended(tmp_path: Path) -> None:
    save(tmp_path / "state", 1.0)
    (tmp_path / "state").rename(tmp_path / "state.old")
    tensors, _ = checkpoints.load(tmp_path / "state")
    assert torch.equal(tensors["restorer"]["w"], torch.ones(3, 2))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_an_optimizer_goes_on_bit_for_bit(layout: torch.memory_format) -> None:
    def fresh() -> tuple[torch.nn.Module, torch.optim.Adam]:
        torch.manual_seed(1)
        net = torch.nn.Conv2d(3, 5, 3).to(memory_format=layout)
        return net, torch.optim.Adam(net.parameters(), lr=0.1, fused=True)

    def train(net: torch.nn.Module, optimizer: torch.optim.Adam, steps: range) -> None:
        for step in steps:
            torch.manual_seed(step)
            optimizer.zero_grad()
            net(torch.randn(2, 3, 8, 8)).square().mean().backward()
            optimizer.step()

    whole, optimizer = fresh()
    train(whole, optimizer, range(6))
    first, optimizer = fresh()
    train(first, optimizer, range(3))
    moments = {n: t.clone().contiguous() for n, t in checkpoints.optimizer_tensors(optimizer).items()}
    weights = {n: t.clone().contiguous() for n, t in first.state_dict().items()}
    second, optimizer = fresh()
    second.load_state_dict(weights)
    checkpoints.load_optimizer(optimizer, moments)
    train(second, optimizer, range(3, 6))
    assert checkpoints.tensors_sha256(second.state_dict()) == checkpoints.tensors_sha256(whole.state_dict())


def test_a_hash_tells_names_shapes_and_values_apart() -> None:
    one = checkpoints.tensors_sha256({"a": torch.zeros(4)})
    assert one != checkpoints.tensors_sha256({"b": torch.zeros(4)})
    assert one != checkpoints.tensors_sha256({"a": torch.zeros(2, 2)})
    assert one != checkpoints.tensors_sha256({"a": torch.zeros(4, dtype=torch.int32)})
