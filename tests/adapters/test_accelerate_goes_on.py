"""A loop under Accelerate, cut and started again from Accelerate's own checkpoint."""

import torch
from accelerate import Accelerator
from little_steering import TERMS, little
from torch import nn

from accelerated import fresh_accelerate
from lossagent import Course, Every, Shared, WeightedSum


class Point(nn.Module):
    """Two numbers."""

    def __init__(self):
        super().__init__()
        self.place = nn.Parameter(torch.zeros(1, 2))

    def forward(self, x):
        return self.place + 0 * x


def trained(folder, cut=None):
    """The trajectory and the network, after so many steps of this process."""
    with fresh_accelerate():
        accelerator = Accelerator(cpu=True)
        net = Point()
        net, optimizer = accelerator.prepare(net, torch.optim.Adam(net.parameters(), lr=0.05))
        bare = accelerator.unwrap_model(net)
        opened = []
        steering = Shared(lambda: opened.append(little(folder)) or opened[0])
        criterion = WeightedSum(steering, TERMS)
        course = Course(
            steering,
            Every(steps=4),
            score=lambda: {"miss": float((bare.place - 0.5).abs().mean())},
            criterion=criterion,
        )
        accelerator.register_for_checkpointing(course)
        checkpoint = folder / "accelerate"
        if checkpoint.exists():
            accelerator.load_state(str(checkpoint))
        steps = 0
        with course:
            while not course.over and steps != cut:
                x = torch.zeros(1, 2)
                loss = criterion(net(x), x)
                optimizer.zero_grad()
                accelerator.backward(loss)
                optimizer.step()
                steps += 1
                course.step()
                if steps % 5 == 0:
                    accelerator.save_state(str(checkpoint))
        return opened[0].trajectory, bare


def test_it_goes_on_inside_the_stage_of_the_checkpoint_as_if_it_had_not_been_cut(tmp_path):
    expected, whole = trained(tmp_path / "whole")
    trained(tmp_path / "cut", 9)  # saved after five steps; the four after them, and the end of a stage, are lost
    trajectory, net = trained(tmp_path / "cut")
    told = trajectory.scored
    assert [s.weights for s in told] == [s.weights for s in expected.states]
    assert [s.feedback for s in told] == [s.feedback for s in expected.states]
    assert torch.equal(net.place, whole.place)
