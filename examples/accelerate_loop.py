"""The denoiser under Hugging Face Accelerate: one process or several.

python examples/accelerate_loop.py
accelerate launch --num_processes 8 examples/accelerate_loop.py                # GPUs
torchrun --standalone --nproc-per-node 2 examples/accelerate_loop.py --cpu     # accelerate launch --cpu starts one
lossagent report runs/accelerate_loop

Process 0 has the steering and scores; all of them train under its weights. Called again after it was stopped, it goes
on from the checkpoint that Accelerate wrote when the last stage ended.
"""

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from denoising import Denoiser, batches, noisy, noisy_inputs, options, photographs

import lossagent
from lossagent import Course, Every, Shared, WeightedSum
from lossagent.losses import FFT, L1, SSIM


def main() -> None:
    """Trains."""
    parser = options("accelerate_loop")
    parser.add_argument("--cpu", action="store_true", help="train on the CPU where there is an accelerator as well")
    chosen = parser.parse_args()
    accelerator = Accelerator(cpu=chosen.cpu)
    torch.manual_seed(0)
    train, seen = photographs(chosen.images)
    inputs = {name: x.to(accelerator.device) for name, x in noisy_inputs(seen).items()}
    net = Denoiser()
    net, optimizer = accelerator.prepare(net, torch.optim.Adam(net.parameters(), lr=1e-3))
    set_seed(0, device_specific=True)  # other crops and noise in each process
    cleans = batches(train, chosen.crop, chosen.batch)

    losses = {"l1": 1.0, "fft": 0.02, "ssim": 0.1}
    steering = Shared(lambda: lossagent.steer(chosen.folder, losses, metric="niqe", stages=chosen.stages))
    criterion = WeightedSum(steering, {"l1": L1(), "fft": FFT(), "ssim": SSIM()})
    bare = accelerator.unwrap_model(net)
    course = Course(
        steering,
        Every(steps=chosen.steps),
        restore=lambda: {name: bare(x).clamp(0, 1) for name, x in inputs.items()},
        criterion=criterion,
    )
    accelerator.register_for_checkpointing(course)
    checkpoint = chosen.folder / "accelerate"
    if checkpoint.exists():
        accelerator.load_state(str(checkpoint))
    with course:
        while not course.over:
            clean = next(cleans).to(accelerator.device)
            loss = criterion(net(noisy(clean)), clean)
            optimizer.zero_grad()
            accelerator.backward(loss)
            optimizer.step()
            if course.step():
                accelerator.save_state(str(checkpoint))
                accelerator.print(f"state {steering.newest} is scored; next weights: {course.weights}")
    accelerator.end_training()


if __name__ == "__main__":
    main()
