"""Two objectives with a limit: a better NIQE and a better BRISQUE, while PSNR may fall by no more than 0.5 dB.

python examples/two_objectives.py
lossagent report runs/two_objectives

States that keep the limit come before those that do not; among them the sum of both gains decides, each in its metric's
unit and times its importance.
"""

from pathlib import Path

import torch
from denoising import Denoiser, batches, noisy, noisy_inputs, options, photographs, warm_up, write_originals

import lossagent
from lossagent import Course, Every, Snapshots, WeightedSum
from lossagent.losses import FFT, L1, SSIM

GOAL = {
    "targets": [{"metric": "niqe", "importance": 1.0}, {"metric": "brisque", "importance": 0.5}],
    "constraints": [{"metric": "psnr", "relative_to": "start", "at_least": -0.5}],
}


def main() -> None:
    """Trains."""
    chosen = options("two_objectives").parse_args()
    torch.manual_seed(0)
    train, seen = photographs(chosen.images)
    cleans, inputs = batches(train, chosen.crop, chosen.batch), noisy_inputs(seen)
    net = Denoiser()
    warm_up(net, cleans, chosen.warm_up)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)

    steering = lossagent.steer(
        chosen.folder,
        {"l1": 1.0, "fft": 0.02, "ssim": 0.1},
        goal=GOAL,
        references=write_originals(seen, Path(f"{chosen.folder}-originals")),
        stages=chosen.stages,
        can_restart=True,  # the agent may start a stage from an earlier state, such as one that kept the limit
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
    best = steering.best()
    print(f"best: state {best.id}, {best.feedback.means()}")


if __name__ == "__main__":
    main()
