"""A LightningModule small enough for tests: two numbers that are pulled to two places."""

import lightning as L
import torch
from little_steering import LOSSES, TERMS
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from lossagent import WeightedSum

QUIETED = (
    "ignore::lightning.fabric.utilities.warnings.PossibleUserWarning",  # few workers, few batches
    "ignore::FutureWarning:lightning.pytorch",  # of torch, for Lightning's own code
    "ignore:Be aware that when using `ckpt_path`:UserWarning",
    "ignore:Checkpoint directory:UserWarning",
)


def batches(count=4):
    return DataLoader(TensorDataset(torch.zeros(count, 2)), batch_size=1)


def trainer(folder, *callbacks, **more):
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    saves = any(isinstance(callback, L.pytorch.callbacks.Checkpoint) for callback in callbacks)
    quiet |= {"enable_checkpointing": saves, "accelerator": "cpu", "max_epochs": 50}
    return L.Trainer(default_root_dir=folder, callbacks=list(callbacks), **(quiet | more))


class Pulled(L.LightningModule):
    """Under automatic optimisation, with a part that stays in evaluation mode."""

    def __init__(self, steering):
        super().__init__()
        self.place = nn.Parameter(torch.zeros(1, 2))
        self.frozen = nn.Dropout(0.5)
        self.frozen.eval()
        self.steering = steering
        self.criterion = None

    def setup(self, stage):
        if self.criterion is None:
            self.criterion = WeightedSum(self.steering, TERMS, measure_every=2)

    def on_train_start(self):
        self.frozen.eval()

    def training_step(self, batch):
        return self.criterion(self.place + 0 * batch[0], torch.zeros(1, 2))

    def validation_step(self, batch):
        return None

    def configure_optimizers(self):
        return torch.optim.Adam([self.place], lr=0.05)


class Scheduled(Pulled):
    """With a learning rate that falls at each step."""

    def configure_optimizers(self):
        optimizer = super().configure_optimizers()
        schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class Adversaries(Pulled):
    """Under manual optimisation: the second optimizer takes two steps in each batch."""

    def __init__(self, steering):
        super().__init__(steering)
        self.automatic_optimization = False
        self.other = nn.Parameter(torch.zeros(1, 2))

    def training_step(self, batch):
        ours, others = self.optimizers()
        for _ in range(2):
            others.zero_grad()
            self.manual_backward((self.other - self.place.detach()).square().sum())
            others.step()
        x = self.place + 0 * batch[0]
        values = {name: term(x, torch.zeros(1, 2)) for name, term in TERMS.items()}
        ours.zero_grad()
        self.manual_backward(self.criterion.combine(values, x))
        ours.step()

    def configure_optimizers(self):
        return torch.optim.Adam([self.place], lr=0.05), torch.optim.Adam([self.other], lr=0.05)


def score(module):
    return {"miss": float((module.place - 0.5).abs().mean())}


__all__ = ["LOSSES", "QUIETED", "Adversaries", "Pulled", "Scheduled", "batches", "score", "trainer"]
