"""A trainer with the shape of the BasicSR family: the same attributes, methods, files and order of calls, little else.

Its module-level functions have the names that ``basicsr.train`` has.
"""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from PIL import Image
from torch import nn

from lossagent.restorers import to_uint8

SIZE = 12
NAMES = ("baboon", "bird")


class Pixel(nn.Module):
    """Multiplies by its own weight, as BasicSR's losses do."""

    def __init__(self, loss_weight=1.0):
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, restored, target):
        return self.loss_weight * (restored - target).abs().mean()


class Perceptual(nn.Module):
    """Two terms with a weight each; one that is off is not computed."""

    def __init__(self, perceptual_weight=0.5, style_weight=0.0):
        super().__init__()
        self.perceptual_weight, self.style_weight = perceptual_weight, style_weight

    def forward(self, restored, target):
        difference = (restored - target).diff(dim=-1)
        near = self.perceptual_weight * difference.square().mean() if self.perceptual_weight > 0 else None
        style = self.style_weight * difference.mean().square() if self.style_weight > 0 else None
        return near, style


class Unweighted(nn.Module):
    """Its weight is multiplied from outside, as in traiNNer-redux."""

    def __init__(self, loss_weight, power):
        super().__init__()
        self.loss_weight, self.power = loss_weight, power

    def forward(self, restored, target):
        return (restored - target).abs().pow(self.power).mean()


class Images:
    """A data set: fixed pictures with names, and the entry of the configuration that it was made from."""

    def __init__(self, name, names=NAMES, seed=1):
        self.opt = {"name": name}
        generator = torch.Generator().manual_seed(seed)
        self.items = [
            {"lq": image, "gt": (image * 0.8).clamp(0, 1), "lq_path": f"/data/{stem}.png"}
            for stem in names
            for image in [torch.rand(3, SIZE, SIZE, generator=generator)]
        ]

    def __len__(self):
        return len(self.items)

    def __getitem__(self, number):
        return self.items[number]


class Model:
    """BasicSR's ``SRModel`` in little."""

    digits = 1
    rank = 0

    def __init__(self, opt):
        self.opt, self.folders = opt, opt["path"]
        self.net_g = nn.Conv2d(3, 3, 1)
        with torch.no_grad():
            self.net_g.weight.copy_(torch.eye(3)[..., None, None])
            self.net_g.bias.zero_()
        self.optimizer_g = torch.optim.Adam(self.net_g.parameters(), lr=0.01)
        self.optimizers = [self.optimizer_g]
        self.build_losses()

    def build_losses(self):
        self.cri_pix = Pixel()
        self.cri_perceptual = Perceptual()
        self.cri_ldl = None

    def feed_data(self, data):
        self.lq, self.gt = data["lq"], data["gt"]

    def optimize_parameters(self, current_iter):
        self.optimizer_g.zero_grad()
        self.output = self.net_g(self.lq)
        log = {"l_pix": self.cri_pix(self.output, self.gt)}
        near, style = self.cri_perceptual(self.output, self.gt)
        log |= {key: term for key, term in (("l_percep", near), ("l_style", style)) if term is not None}
        sum(log.values()).backward()
        self.optimizer_g.step()
        self.log_dict = {key: value.item() for key, value in log.items()}

    def validation(self, dataloader, current_iter, tb_logger, save_img=False):
        if self.rank == 0:  # the other processes of a distributed job validate nothing
            self.nondist_validation(dataloader, current_iter, tb_logger, save_img)

    def nondist_validation(self, dataloader, current_iter, tb_logger, save_img):
        for data in dataloader:
            name = Path(data["lq_path"][0]).stem
            self.feed_data(data)
            with torch.no_grad():
                self.output = self.net_g(self.lq)
            result = self.get_current_visuals()["result"]
            del self.lq, self.gt, self.output  # as theirs do: a batch that was fed before is gone
            if save_img:
                folder = Path(self.folders["visualization"]) / name
                folder.mkdir(parents=True, exist_ok=True)
                Image.fromarray(to_uint8(result)).save(folder / f"{name}_{current_iter:0{self.digits}}.png")
                Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(folder / f"{name}_lq.png")

    def get_current_visuals(self):
        return {"lq": self.lq.detach(), "result": self.output.detach(), "gt": self.gt.detach()}

    def save(self, current_iter):
        folder = Path(self.folders["states"])
        folder.mkdir(parents=True, exist_ok=True)
        state = {"iter": current_iter, "net": self.net_g.state_dict(), "optimizers": [self.optimizer_g.state_dict()]}
        torch.save(state, folder / f"{current_iter}.state")

    def resume_training(self, resume_state):
        self.net_g.load_state_dict(resume_state["net"])
        self.optimizer_g.load_state_dict(resume_state["optimizers"][0])


class Redux(Model):
    """traiNNer-redux's in little: losses in a mapping, weights applied outside, a log that adds up, three arguments."""

    digits = 6

    def __init__(self, opt):
        super().__init__(opt)
        self.opt = SimpleNamespace(val=SimpleNamespace(**opt["val"]), path=SimpleNamespace(**opt["path"]))

    def build_losses(self):
        self.losses = {"l_g_l1": Unweighted(1.0, 1), "l_g_mse": Unweighted(0.5, 2)}
        self.log_dict, self.loss_samples = {}, 0

    def optimize_parameters(self, current_iter, current_accum_iter, apply_gradient):
        self.loss_samples += len(self.lq)
        self.optimizer_g.zero_grad()
        self.output = self.net_g(self.lq)
        terms = {n: loss(self.output, self.gt) * loss.loss_weight for n, loss in self.losses.items()}
        sum(terms.values()).backward()
        self.optimizer_g.step()
        for key, value in terms.items():
            self.log_dict[key] = self.log_dict.get(key, 0) + value.detach() * len(self.lq)

    def reset_current_log(self):
        self.log_dict, self.loss_samples = {}, 0


# -- what basicsr.train has under these names ---------------------------------------------------------------


def options(root, total=12, val_freq=3, save_freq=3, sets=("Set2",), model=Model, resume=None):
    """A configuration."""
    path = {"visualization": str(root / "visualization"), "states": str(root / "states"), "resume_state": resume}
    return {
        "total": total,
        "val": {"val_freq": val_freq, "save_img": True},
        "save_freq": save_freq,
        "sets": sets,
        "path": path,
        "model": model,
    }


def create_train_val_dataloader(opt):
    torch.manual_seed(0)
    training = torch.utils.data.DataLoader(Images("train", [f"t{n}" for n in range(8)], 2), batch_size=2, shuffle=True)
    validation = [torch.utils.data.DataLoader(Images(name)) for name in opt["sets"]]
    return training, None, validation, 100, opt["total"]


def build_model(opt):
    return opt["model"](opt)


def train_pipeline(opt, on_step=None):
    """Trains as the family's ``train_pipeline`` does; returns the model."""
    training, _, validation, epochs, total = create_train_val_dataloader(opt)
    model = build_model(opt)
    current_iter = 0
    if opt["path"]["resume_state"]:
        state = torch.load(opt["path"]["resume_state"], weights_only=True)
        model.resume_training(state)
        current_iter = state["iter"]
    done = False
    for _ in range(epochs):
        for batch in training:
            current_iter += 1
            if current_iter > total:
                done = True
                break
            model.feed_data(batch)
            redux = isinstance(model, Redux)
            model.optimize_parameters(current_iter, *((0, True) if redux else ()))
            if on_step is not None:
                on_step(model, current_iter)
            if redux and current_iter % 2 == 0:
                model.reset_current_log()
            if current_iter % opt["save_freq"] == 0 and model.rank == 0:
                model.save(current_iter)
            if current_iter % opt["val"]["val_freq"] == 0:
                for loader in validation:
                    model.validation(loader, current_iter, None, opt["val"]["save_img"])
        if done:
            break
    for loader in validation:
        model.validation(loader, current_iter, None, opt["val"]["save_img"])
    return model


def write_references(folder, names=NAMES):
    """The validation set's originals as files."""
    folder.mkdir(parents=True, exist_ok=True)
    for item in Images("Set2", names).items:
        Image.fromarray(to_uint8(item["gt"][None])).save(folder / f"{Path(item['lq_path']).name}")
    return folder
