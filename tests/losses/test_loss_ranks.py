"""Means over ranks: two processes with half a batch each give value and gradient of the whole batch in one."""

from __future__ import annotations

import multiprocessing
import os

import pytest
import torch
import torch.distributed as dist
from torch import nn

from lossagent.losses import Adversarial, Example, LossRepository, evidence
from lossagent.losses._ranks import mean_over_ranks, one_rank
from losses import kit


def networks() -> tuple[nn.Module, Adversarial]:
    torch.manual_seed(0)
    restorer = nn.Conv2d(3, 3, 3, padding=1)
    return restorer, Adversarial(nn.Sequential(nn.Conv2d(3, 4, 3), nn.LeakyReLU(0.2), nn.Conv2d(4, 1, 3)), "ragan")


def measured(source: torch.Tensor, target: torch.Tensor) -> list[torch.Tensor]:
    """Both losses and both gradients; averaged over ranks they are those of the whole batch."""
    restorer, loss = networks()
    value = loss(restorer(source), target)
    value.backward()
    other = loss.discriminator_loss(restorer(source), target)
    other.backward()
    gradients = [p.grad for module in (restorer, loss.discriminator) for p in module.parameters()]
    return [value.detach(), other.detach(), *gradients]


def half(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"file://{folder}/store", rank=rank, world_size=2)
    source, target = kit.images(batch=4, side=16, dtype=torch.float32)
    mine = slice(2 * rank, 2 * rank + 2)
    found = measured(source[mine], target[mine])
    with one_rank():
        alone = measured(source[mine], target[mine])
    leaf = torch.tensor([1.0 + rank, 4.0], requires_grad=True)
    mean = mean_over_ranks(leaf)
    mean.backward(torch.tensor([2.0 * (rank + 1), 1.0]))
    restorer, loss = networks()
    if rank == 0:  # It would wait for ever if it asked the other.
        evidence(restorer, LossRepository({"gan": loss}), [Example(source, target)])
    torch.save({"found": found, "alone": alone, "mean": mean.detach(), "grad": leaf.grad}, f"{folder}/{rank}.pth")
    dist.barrier()
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("ranks"))
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=half, args=(rank, folder)) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0]
    return [torch.load(os.path.join(folder, f"{rank}.pth"), weights_only=True) for rank in range(2)]


def test_mean_and_its_gradient(ranks):
    for found in ranks:
        assert found["mean"].tolist() == [1.5, 4.0]
        assert found["grad"].tolist() == [3.0, 1.0]


def test_two_halves_equal_the_whole(ranks):
    whole = measured(*kit.images(batch=4, side=16))
    for index, expected in enumerate(whole):
        mean = (ranks[0]["found"][index] + ranks[1]["found"][index]) / 2
        torch.testing.assert_close(mean, expected, rtol=1e-5, atol=1e-7)


def test_without_the_other_rank_they_do_not(ranks):
    whole = measured(*kit.images(batch=4, side=16))
    mean = (ranks[0]["alone"][0] + ranks[1]["alone"][0]) / 2
    assert abs(float(mean - whole[0])) > 1e-7


def test_one_process_is_left_alone():
    values = torch.rand(3, requires_grad=True)
    assert mean_over_ranks(values) is values
