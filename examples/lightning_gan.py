"""A small GAN in Lightning: manual optimisation, two optimizers, and a callback that weighs L1 against the adversary.

pip install 'lossagent[demo,lightning]'
python examples/lightning_gan.py
lossagent report runs/lightning_gan

Called again after it was stopped, it goes on from the last checkpoint.
"""

import lightning as L
import torch
from denoising import Denoiser, batches, noisy, noisy_inputs, options, photographs, random_crop, warm_up
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

import lossagent
from lossagent import Every, WeightedSum
from lossagent.adapters.lightning import SteeringCallback
from lossagent.losses import L1, Adversarial
from lossagent.restorers import PatchDiscriminator


class GAN(L.LightningModule):
    """A denoiser and its opponent."""

    def __init__(self, net: Denoiser, steering: lossagent.Steering) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.net = net
        self.adversarial = Adversarial(PatchDiscriminator(channels=16, layers=2))
        self.criterion = WeightedSum(steering, {"l1": L1(), "gan": self.adversarial}, measure_every=20)

    def training_step(self, clean: Tensor) -> None:
        """One step of each."""
        ours, opponent = self.optimizers()
        restored = self.net(noisy(clean))
        ours.zero_grad()
        self.manual_backward(self.criterion(restored, clean))
        ours.step()
        opponent.zero_grad()
        self.manual_backward(self.adversarial.discriminator_loss(restored.detach(), clean))
        opponent.step()

    def configure_optimizers(self) -> tuple[torch.optim.Optimizer, ...]:
        """The denoiser's first: its steps make a stage."""
        ours = torch.optim.Adam(self.net.parameters(), lr=1e-3)
        return ours, torch.optim.Adam(self.adversarial.discriminator.parameters(), lr=1e-3)


class Crops(Dataset[Tensor]):
    """Random crops of photographs, 200 an epoch."""

    def __init__(self, images: list[Tensor], crop: int) -> None:
        self.images, self.crop = images, crop

    def __len__(self) -> int:
        return 200

    def __getitem__(self, number: int) -> Tensor:
        return random_crop(self.images[number % len(self.images)], self.crop)


def main() -> None:
    """Trains."""
    chosen = options("lightning_gan").parse_args()
    L.seed_everything(0)
    train, seen = photographs(chosen.images)
    inputs = noisy_inputs(seen)
    net = Denoiser()
    warm_up(net, batches(train, chosen.crop, chosen.batch), chosen.warm_up)

    steering = lossagent.steer(chosen.folder, {"l1": 1.0, "gan": 0.003}, metric="niqe", stages=chosen.stages)
    callback = SteeringCallback(
        steering,
        Every(steps=chosen.steps),
        restore=lambda module: {name: module.net(x.to(module.device)).clamp(0, 1) for name, x in inputs.items()},
        optimizer=0,
    )
    checkpoints = ModelCheckpoint(chosen.folder / "lightning", save_last=True)  # at the end of each epoch
    trainer = L.Trainer(max_epochs=1000, accelerator="auto", devices=1, logger=False, callbacks=[callback, checkpoints])
    trainer.fit(GAN(net, steering), DataLoader(Crops(train, chosen.crop), chosen.batch), ckpt_path="last")
    print(f"best: state {steering.best().id}, {steering.best().feedback.means()}")


if __name__ == "__main__":
    main()
