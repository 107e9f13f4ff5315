"""A first state from which a SwinIR learns at once: plain interpolation rather than noise."""

from __future__ import annotations

import torch
from torch import nn

from lossagent.restorers import SwinIR


@torch.no_grad()
def begin_as_interpolation(network: SwinIR) -> None:
    """Sets three channels of each convolution outside the body to carry the picture through to the output.

    A SwinIR has no skip from its input image to its output, and its first thousand iterations go into learning to
    enlarge. Here the ``nearest+conv`` network starts as nearest-neighbour enlargement smoothed by [1 2 1] / 4 twice,
    which is near bilinear; everything else starts as usual, and its share in the output is reduced to a tenth. Values
    are shifted by one, so that they pass the leaky ReLUs unchanged.
    """
    smooth = torch.tensor([0.25, 0.5, 0.25])
    blur = smooth[:, None] * smooth
    middle = torch.zeros(3, 3)
    middle[1, 1] = 1

    def carry(conv: nn.Conv2d, kernel: torch.Tensor, bias: float) -> None:
        assert conv.bias is not None, "SwinIR's convolutions have a bias"
        conv.weight[:3] = 0
        conv.bias[:3] = bias
        for channel in range(3):
            conv.weight[channel, channel] = kernel

    network.conv_after_body.weight.mul_(0.1)
    network.conv_last.weight.mul_(0.1)
    carry(network.conv_first, middle, 0.0)
    carry(network.conv_before_upsample[0], middle, 1.0)
    for conv in (network.conv_up1, network.conv_up2):
        carry(conv, blur, 0.0)
    carry(network.conv_hr, middle, 0.0)
    for channel in range(3):
        network.conv_last.weight[channel, channel] = middle
    network.conv_last.bias.fill_(-1.0)
