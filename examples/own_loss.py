"""A loss of your own: any (restored, target) -> scalar that can be differentiated. It never sees its weight.

python examples/own_loss.py
lossagent report runs/own_loss
"""

import torch
from denoising import Denoiser, batches, noisy, noisy_inputs, options, photographs
from torch import Tensor, nn
from torch.nn import functional as F

import lossagent
from lossagent import Course, Every, Snapshots, WeightedSum
from lossagent.losses import L1


class Curvature(nn.Module):
    """Mean distance of second differences: fine detail counts, brightness does not."""

    def __init__(self) -> None:
        super().__init__()
        kernel = torch.tensor([[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]])
        self.register_buffer("kernel", kernel.expand(3, 1, 3, 3).clone())  # moves with WeightedSum(...).to(device)

    def forward(self, restored: Tensor, target: Tensor) -> Tensor:
        """[b, 3, h, w] twice -> scalar."""
        return F.conv2d(restored - target, self.kernel, groups=3).abs().mean()


def main() -> None:
    """Trains."""
    chosen = options("own_loss").parse_args()
    torch.manual_seed(0)
    train, seen = photographs(chosen.images)
    cleans, inputs = batches(train, chosen.crop, chosen.batch), noisy_inputs(seen)
    net = Denoiser()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)

    steering = lossagent.steer(chosen.folder, {"l1": 1.0, "curvature": 0.2}, metric="niqe", stages=chosen.stages)
    criterion = WeightedSum(steering, {"l1": L1(), "curvature": Curvature()}, measure_every=20)
    course = Course(
        steering,
        Every(steps=chosen.steps),
        restore=lambda: {name: net(x).clamp(0, 1) for name, x in inputs.items()},
        criterion=criterion,
        snapshots=Snapshots(chosen.folder / "checkpoints", net=net, optimizer=optimizer),
    )
    with course:
        while not course.over:
            clean = next(cleans)
            loss = criterion(net(noisy(clean)), clean)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if course.step():
                state = steering.trajectory.head
                shares = state.report.evidence.shares(state.weights)  # of the gradient at the restored images
                print(f"state {state.id}: {state.feedback.means()}, gradients {shares}")


if __name__ == "__main__":
    main()
