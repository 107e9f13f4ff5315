"""A metric of your own: five lines in sharpness.py, steered by beside NIQE.

python examples/own_metric.py
lossagent report runs/own_metric

The other way: compute scores in the loop and tell them, with steer(score="elsewhere") and Course(score=...).
"""

from pathlib import Path

import torch
from denoising import Denoiser, batches, noisy, noisy_inputs, options, photographs

import lossagent
from lossagent import Course, Every, Snapshots, WeightedSum
from lossagent.losses import FFT, L1, SSIM

OWN = {
    "kind": "python",
    "file": str(Path(__file__).with_name("sharpness.py")),
    "function": "sharpness",
    "direction": "higher",
    "unit": 0.05,  # a change worth speaking of
}


def main() -> None:
    """Trains."""
    chosen = options("own_metric").parse_args()
    torch.manual_seed(0)
    train, seen = photographs(chosen.images)
    cleans, inputs = batches(train, chosen.crop, chosen.batch), noisy_inputs(seen)
    net = Denoiser()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)

    steering = lossagent.steer(
        chosen.folder,
        {"l1": 1.0, "fft": 0.02, "ssim": 0.1},
        metric=["sharpness", "niqe"],
        settings={"metrics": {"sharpness": OWN}},
        stages=chosen.stages,
    )
    criterion = WeightedSum(steering, {"l1": L1(), "fft": FFT(), "ssim": SSIM()})
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
                print(f"state {steering.newest}: {steering.trajectory.head.feedback.means()}")


if __name__ == "__main__":
    main()
