"""EfficientNet-Lite0: EfficientNet-B0 [Tan & Le, ICML 2019, arXiv 1905.11946] without squeeze-and-excitation and with
ReLU6 in place of swish, as its authors published it for devices (2020).

Parameter names are those of the PyTorch port whose weights :mod:`lossagent.assets` knows as ``efficientnet-lite0``.
"""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

STAGES = (
    # kernel, blocks, channels in, channels out, expansion, stride
    (3, 1, 32, 16, 1, 1),
    (3, 2, 16, 24, 6, 2),
    (5, 2, 24, 40, 6, 2),
    (3, 3, 40, 80, 6, 2),
    (5, 3, 80, 112, 6, 1),
    (5, 4, 112, 192, 6, 2),
    (3, 1, 192, 320, 6, 1),
)
BATCH_NORM_EPS = 1e-3


class SameConv(nn.Conv2d):
    """A convolution padded as TensorFlow's "same": where the padding is odd, the greater half lies right and below."""

    def forward(
        self,
        input: Float[Tensor, "batch channels height width"],  # noqa: A002  (its name in nn.Conv2d)
    ) -> Float[Tensor, "batch out rows columns"]:
        """ceil(side / stride) pixels a side."""
        pads: list[int] = []
        for side, kernel, stride in zip(input.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1], strict=True):
            total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
            pads += [total // 2, total - total // 2]
        if pads[0] == pads[1] and pads[2] == pads[3]:
            return F.conv2d(input, self.weight, self.bias, self.stride, (pads[2], pads[0]), groups=self.groups)
        return F.conv2d(F.pad(input, pads), self.weight, self.bias, self.stride, groups=self.groups)


class Block(nn.Module):
    """Inverted residual [arXiv 1801.04381]: expand, depthwise, project to a linear output; a skip where it fits."""

    def __init__(self, kernel: int, inputs: int, outputs: int, expansion: int, stride: int) -> None:
        super().__init__()
        wide = inputs * expansion
        self._expand_conv = SameConv(inputs, wide, 1, bias=False) if expansion > 1 else None
        self._bn0 = nn.BatchNorm2d(wide, BATCH_NORM_EPS) if expansion > 1 else None
        self._depthwise_conv = SameConv(wide, wide, kernel, stride, groups=wide, bias=False)
        self._bn1: nn.Module = nn.BatchNorm2d(wide, BATCH_NORM_EPS)
        self._project_conv = SameConv(wide, outputs, 1, bias=False)
        self._bn2: nn.Module = nn.BatchNorm2d(outputs, BATCH_NORM_EPS)
        self.skips = stride == 1 and inputs == outputs

    def forward(self, x: Float[Tensor, "batch inputs height width"]) -> Float[Tensor, "batch outputs rows columns"]:
        """Not activated: values of both signs."""
        inside = x
        if self._expand_conv is not None and self._bn0 is not None:
            inside = F.relu6(self._bn0(self._expand_conv(inside)), inplace=True)
        inside = F.relu6(self._bn1(self._depthwise_conv(inside)), inplace=True)
        inside = self._bn2(self._project_conv(inside))
        return x + inside if self.skips else inside


class EfficientNetLite0(nn.Module):
    """RGB normalised by (255 x - 127) / 128 -> logits of ImageNet's 1000 classes; 4.65 M parameters."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = SameConv(3, 32, 3, 2, bias=False)
        self._bn0: nn.Module = nn.BatchNorm2d(32, BATCH_NORM_EPS)
        self._blocks = nn.ModuleList()
        self.stage_ends: list[int] = []
        for kernel, count, inputs, outputs, expansion, stride in STAGES:
            self._blocks.append(Block(kernel, inputs, outputs, expansion, stride))
            self._blocks.extend(Block(kernel, outputs, outputs, expansion, 1) for _ in range(count - 1))
            self.stage_ends.append(len(self._blocks) - 1)
        self._conv_head = SameConv(320, 1280, 1, bias=False)
        self._bn1: nn.Module = nn.BatchNorm2d(1280, BATCH_NORM_EPS)
        self._fc = nn.Linear(1280, 1000)

    def forward(self, x: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch 1000"]:
        """Logits."""
        x = F.relu6(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            x = block(x)
        return self._fc(F.relu6(self._bn1(self._conv_head(x))).mean((2, 3)))

    def layers(self) -> dict[str, nn.Module]:
        """Name -> module, to be applied in turn: ``stem`` and ``stage1`` .. ``stage7``, none of them activated.

        The activation of the stem is the first step of ``stage1``.
        """
        starts = [0, *(end + 1 for end in self.stage_ends)]
        stages: dict[str, nn.Module] = {"stem": nn.Sequential(self._conv_stem, self._bn0)}
        for number, (start, end) in enumerate(zip(starts, self.stage_ends, strict=False), start=1):
            blocks = list(self._blocks[start : end + 1])
            stages[f"stage{number}"] = nn.Sequential(*([nn.ReLU6()] if number == 1 else []), *blocks)
        return stages


def fold_batch_norm(network: EfficientNetLite0) -> EfficientNetLite0:
    """Multiplies the frozen batch normalisations into the convolutions before them, in place: the same function, and
    half the passes over memory.
    """
    pairs: list[tuple[nn.Module, str, str]] = [
        (network, "_conv_stem", "_bn0"),
        (network, "_conv_head", "_bn1"),
    ]
    for block in network._blocks:  # pyright: ignore[reportPrivateUsage]
        names = (("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2"))
        pairs += [(block, conv, norm) for conv, norm in names if getattr(block, conv) is not None]
    for owner, conv, norm in pairs:
        fused = fuse_conv_bn_eval(getattr(owner, conv).eval(), getattr(owner, norm).eval())
        setattr(owner, conv, fused)
        setattr(owner, norm, nn.Identity())
    return network
