"""What the examples share: photographs, noise, and a network that takes it away again. No steering yet."""

import argparse
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from lossagent.data.images import NamedImage, list_images
from lossagent.data.photos import demo_split
from lossagent.errors import Refused
from lossagent.restorers import from_uint8, to_uint8
from lossagent.training.pictures import write_images

SIGMA = 25 / 255
VIEW = 192  # pixels of the part of a photograph that is looked at


def options(name: str) -> argparse.ArgumentParser:
    """What every example can be told."""
    parser = argparse.ArgumentParser(description=f"See the head of {name}.py.")
    parser.add_argument("--images", type=Path, help="folder of photographs; by default those of scikit-image")
    parser.add_argument("--folder", type=Path, default=Path("runs") / name, help="run folder")
    parser.add_argument("--stages", type=int, default=6, help="stages of training")
    parser.add_argument("--steps", type=int, default=100, help="optimizer steps of a stage")
    parser.add_argument("--crop", type=int, default=64, help="side of training crops in pixels")
    parser.add_argument("--batch", type=int, default=8, help="crops in a batch")
    parser.add_argument("--warm-up", type=int, default=200, help="steps under L1 alone before the first stage")
    return parser


def photographs(folder: Path | None) -> tuple[list[Tensor], dict[str, Tensor]]:
    """Photographs to train on, [3, h, w] in [0, 1], and others to look at: name -> [1, 3, VIEW, VIEW]."""
    if folder is None:
        split = demo_split()
        train, seen = split["train"], split["feedback"]
    else:
        files = list_images(folder)
        if len(files) < 4:
            raise Refused(f"{folder} must hold at least 4 photographs, 3 of them to look at; found {len(files)}.")
        train, seen = list(files[3:]), list(files[:3])
    return [_read(image)[0] for image in train], {image.name: _middle(_read(image)) for image in seen}


def batches(images: list[Tensor], crop: int, batch: int) -> Iterator[Tensor]:
    """Random crops for ever, [batch, 3, crop, crop]; torch's generator says which, so a snapshot goes on with them."""
    while True:
        yield torch.stack([random_crop(images[int(torch.randint(len(images), ()))], crop) for _ in range(batch)])


def random_crop(image: Tensor, crop: int) -> Tensor:
    """A square of an image [3, h, w]."""
    top, left = (int(torch.randint(side - crop + 1, ())) for side in image.shape[1:])
    return image[:, top : top + crop, left : left + crop]


def noisy(clean: Tensor) -> Tensor:
    """The same images under white noise."""
    return clean + SIGMA * torch.randn_like(clean)


def noisy_inputs(seen: dict[str, Tensor]) -> dict[str, Tensor]:
    """What is looked at, under noise that is the same in each run."""
    state = torch.get_rng_state()
    torch.manual_seed(0)
    inputs = {name: noisy(image) for name, image in seen.items()}
    torch.set_rng_state(state)
    return inputs


class Denoiser(nn.Module):
    """Says what the noise is, and takes it away."""

    def __init__(self, channels: int = 32) -> None:
        super().__init__()
        middle = [layer for _ in range(3) for layer in (nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU())]
        self.body = nn.Sequential(
            nn.Conv2d(3, channels, 3, padding=1), nn.ReLU(), *middle, nn.Conv2d(channels, 3, 3, padding=1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """[b, 3, h, w] -> the same shape."""
        return x - self.body(x)


def warm_up(net: nn.Module, cleans: Iterator[Tensor], steps: int) -> None:
    """Trains for L1 alone: losses are weighed against each other where a network does its work already."""
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    for _ in range(steps):
        clean = next(cleans)
        loss = (net(noisy(clean)) - clean).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def write_originals(seen: dict[str, Tensor], folder: Path) -> Path:
    """The photographs without noise as files, for metrics and reviewers that compare with them."""
    if not folder.exists():
        write_images({name: to_uint8(image) for name, image in seen.items()}, folder)
    return folder


def _read(image: NamedImage) -> Tensor:
    return from_uint8(image.pixels())


def _middle(image: Tensor) -> Tensor:
    top, left = ((side - VIEW) // 2 for side in image.shape[2:])
    if min(top, left) < 0:
        raise Refused(f"photographs must be at least {VIEW} pixels high and wide; found {list(image.shape[2:])}.")
    return image[..., top : top + VIEW, left : left + VIEW]
