"""The VGG-style discriminator of ESRGAN: one logit for an image of one size."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from lossagent.errors import Refused
from lossagent.restorers.discriminators import SLOPE, Initial, initialise

STAGES = {128: 5, 256: 6}
"""Side of images in pixels -> how often they are halved, down to 4x4."""

LAST = 4
HIDDEN = 100


class VGGDiscriminator(nn.Module):
    """One logit for each image, which must have the side the network was made for.

    [SRGAN, Ledig et al., CVPR 2017, arXiv 1609.04802; ESRGAN, Wang et al., ECCVW 2018, arXiv 1809.00219] in the form of
    BasicSR's ``VGGStyleDiscriminator``, with its parameter names; 21.1 M parameters as published (in_channels 3,
    channels 64, input_size 256) and 14.5 M at 128. Batch norm: real and restored images must be judged in batches of
    their own.

    Args:
        in_channels: channels of images.
        channels: width of the first layer; the deepest have eight times as many.
        input_size: side of images in pixels, 128 or 256.
        initial: initial weights of convolutions.

    Raises:
        Refused: arguments outside these.
    """

    def __init__(
        self, in_channels: int = 3, channels: int = 64, input_size: int = 128, initial: Initial = "torch"
    ) -> None:
        super().__init__()
        if input_size not in STAGES:
            raise Refused(f"input_size must be {' or '.join(map(str, STAGES))}, in pixels; found {input_size}.")
        if in_channels < 1 or channels < 1:
            raise Refused(f"in_channels and channels must be at least 1; found {in_channels} and {channels}.")
        self.in_channels, self.input_size = in_channels, input_size
        self.stages = STAGES[input_size]
        widths = [channels * min(2**stage, 8) for stage in range(self.stages)]
        for stage, width in enumerate(widths):
            before = widths[stage - 1] if stage else in_channels
            self.add_module(f"conv{stage}_0", nn.Conv2d(before, width, 3, padding=1, bias=stage == 0))
            if stage:
                self.add_module(f"bn{stage}_0", nn.BatchNorm2d(width))
            self.add_module(f"conv{stage}_1", nn.Conv2d(width, width, 4, 2, 1, bias=False))
            self.add_module(f"bn{stage}_1", nn.BatchNorm2d(width))
        self.linear1 = nn.Linear(widths[-1] * LAST * LAST, HIDDEN)
        self.linear2 = nn.Linear(HIDDEN, 1)
        initialise(self, initial)

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch 1"]:
        """Logits, one for each image.

        Raises:
            Refused: images of another size or number of channels.
        """
        wanted = (self.in_channels, self.input_size, self.input_size)
        if tuple(x.shape[1:]) != wanted:
            raise Refused(
                f"images must be {list(wanted)} (in_channels, input_size twice); found {list(x.shape[1:])}. This "
                f"discriminator judges whole patches of one size: train on target patches of {self.input_size} px, "
                f"or set input_size ({' or '.join(map(str, STAGES))}); unet and patch take any size."
            )
        for stage in range(self.stages):
            for half in (0, 1):
                x = self.get_submodule(f"conv{stage}_{half}")(x)
                if stage or half:
                    x = self.get_submodule(f"bn{stage}_{half}")(x)
                x = F.leaky_relu(x, SLOPE, inplace=True)
        return self.linear2(F.leaky_relu(self.linear1(x.flatten(1)), SLOPE))
