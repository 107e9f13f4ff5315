"""The convolutional parts of three ImageNet classifiers, as named layers in a row.

VGG [Simonyan & Zisserman, ICLR 2015, arXiv 1409.1556], AlexNet in the one-tower form of [Krizhevsky, arXiv 1404.5997]
and SqueezeNet 1.1 [Iandola et al., arXiv 1602.07360], with the layer numbers of torchvision's ``features``, whose
released weights they hold.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

VGG_BLOCKS = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}
VGG_WIDTHS = (64, 128, 256, 512, 512)


def vgg(name: str) -> dict[str, nn.Module]:
    """``conv1_1``, ``relu1_1``, ... ``pool5`` of ``vgg16`` or ``vgg19``; in VGG19, conv1_2, 2_2, 3_4, 4_4 and 5_4 are
    numbers 2, 7, 16, 25 and 34.
    """
    layers: dict[str, nn.Module] = {}
    inputs = 3
    for block, (count, width) in enumerate(zip(VGG_BLOCKS[name], VGG_WIDTHS, strict=True), start=1):
        for number in range(1, count + 1):
            layers[f"conv{block}_{number}"] = nn.Conv2d(inputs, width, 3, padding=1)
            layers[f"relu{block}_{number}"] = nn.ReLU()
            inputs = width
        layers[f"pool{block}"] = nn.MaxPool2d(2)
    return layers


def alexnet() -> dict[str, nn.Module]:
    """``conv1``, ``relu1``, ... ``relu5``."""
    return {
        "conv1": nn.Conv2d(3, 64, 11, stride=4, padding=2),
        "relu1": nn.ReLU(),
        "pool1": nn.MaxPool2d(3, 2),
        "conv2": nn.Conv2d(64, 192, 5, padding=2),
        "relu2": nn.ReLU(),
        "pool2": nn.MaxPool2d(3, 2),
        "conv3": nn.Conv2d(192, 384, 3, padding=1),
        "relu3": nn.ReLU(),
        "conv4": nn.Conv2d(384, 256, 3, padding=1),
        "relu4": nn.ReLU(),
        "conv5": nn.Conv2d(256, 256, 3, padding=1),
        "relu5": nn.ReLU(),
    }


class Fire(nn.Module):
    """Squeezes channels by 1x1, then expands them by 1x1 and 3x3 side by side; activated, so not negative."""

    def __init__(self, inputs: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, x: Float[Tensor, "batch inputs height width"]) -> Float[Tensor, "batch outputs height width"]:
        """Twice ``expanded`` channels."""
        x = torch.relu(self.squeeze(x))
        return torch.relu(torch.cat([self.expand1x1(x), self.expand3x3(x)], dim=1))


def squeezenet() -> dict[str, nn.Module]:
    """``conv1``, ``relu1``, ``pool1``, ``fire2``, ... ``fire9``."""
    return {
        "conv1": nn.Conv2d(3, 64, 3, stride=2),
        "relu1": nn.ReLU(),
        "pool1": nn.MaxPool2d(3, 2, ceil_mode=True),
        "fire2": Fire(64, 16, 64),
        "fire3": Fire(128, 16, 64),
        "pool3": nn.MaxPool2d(3, 2, ceil_mode=True),
        "fire4": Fire(128, 32, 128),
        "fire5": Fire(256, 32, 128),
        "pool5": nn.MaxPool2d(3, 2, ceil_mode=True),
        "fire6": Fire(256, 48, 192),
        "fire7": Fire(384, 48, 192),
        "fire8": Fire(384, 64, 256),
        "fire9": Fire(512, 64, 256),
    }
