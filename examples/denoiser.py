"""A denoiser in plain PyTorch. Three losses, weighed by how natural NIQE finds the results.

python examples/denoiser.py
lossagent report runs/denoiser

Stopped and called again, it goes on behind its last whole stage, with the same crops and noise.
"""

import torch
from denoising import Denoiser, batches, noisy, noisy_inputs, options, photographs

import lossagent
from lossagent import Course, Every, Snapshots, WeightedSum
from lossagent.losses import FFT, L1, SSIM


def main() -> None:
    """Trains."""
    chosen = options("denoiser").parse_args()
    torch.manual_seed(0)
    train, seen = photographs(chosen.images)
    cleans, inputs = batches(train, chosen.crop, chosen.batch), noisy_inputs(seen)
    net = Denoiser()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)

    steering = lossagent.steer(
        chosen.folder, {"l1": 1.0, "fft": 0.02, "ssim": 0.1}, metric="niqe", stages=chosen.stages
    )
    course = Course(
        steering,
        Every(steps=chosen.steps),
        restore=lambda: {name: net(x).clamp(0, 1) for name, x in inputs.items()},
        criterion=(criterion := WeightedSum(steering, {"l1": L1(), "fft": FFT(), "ssim": SSIM()})),
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
                print(f"state {steering.newest}: {steering.trajectory.head.feedback.means()}, then {course.weights}")


if __name__ == "__main__":
    main()
