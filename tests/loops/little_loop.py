"""A loop small enough for tests: two numbers that are pulled to two places, and a score that wants one of them."""

import torch
from torch import nn

import lossagent

LOSSES = {"near": 1.0, "far": 0.1}
GOAL = {"targets": [{"metric": "miss", "direction": "lower", "unit": 0.01}]}


class Point(nn.Module):
    """Two numbers."""

    def __init__(self):
        super().__init__()
        self.place = nn.Parameter(torch.zeros(1, 2))

    def forward(self, x):
        return self.place + 0 * x


TERMS = {
    "near": lambda restored, target: (restored - target).square().mean(),
    "far": lambda restored, target: (restored - target - 1).square().mean(),
}


class Loop:
    """A network, an optimizer and a steering of them."""

    def __init__(self, folder, agent="random", stages=4, **more):
        self.net = Point()
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=0.05)
        self.steering = lossagent.steer(
            folder, LOSSES, goal=GOAL, score="elsewhere", agent=agent, stages=stages, **more
        )
        self.criterion = lossagent.WeightedSum(self.steering, TERMS, measure_every=2)

    def score(self):
        return {"miss": float((self.net.place - 0.5).abs().mean())}

    def step(self):
        x = torch.zeros(1, 2)
        loss = self.criterion(self.net(x), x)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()

    def course(self, every, **more):
        return lossagent.Course(self.steering, every, score=self.score, criterion=self.criterion, **more)

    def run(self, every, **more):
        with self.course(every, **more) as course:
            while not course.over:
                self.step()
                course.step()
        return self.steering.trajectory
