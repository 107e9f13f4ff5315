"""DISTS: likeness of structure and of texture in the features of a classifier."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from lossagent.errors import MissingAsset
from lossagent.losses._precision import wide, without_autocast
from lossagent.restorers.backbones import ARCHITECTURES, BackboneWeights, backbone

C1 = C2 = 1e-6
CHANNELS = (3, 64, 128, 256, 512, 512)
"""Of the image itself and of the five layers."""


class DISTS(nn.Module):
    """Deep image structure and texture similarity [Ding, Ma, Wang, Simoncelli, TPAMI 2020, arXiv 2004.07728].

    1 - sum_ij (alpha_ij l_ij + beta_ij s_ij) over the channels j of the image itself (i = 0) and of VGG16's relu1_2,
    2_2, 3_3, 4_3 and 5_3, with l = (2 mu_x mu_y + c) / (mu_x^2 + mu_y^2 + c) (texture: channel means) and
    s = (2 s_xy + c) / (s_x^2 + s_y^2 + c) (structure: covariance), moments over the whole image, c = 1e-6. Max pooling
    is replaced by L2 pooling, sqrt(g * x^2) with a 3x3 Hann window at stride 2. The fitted alpha, beta >= 0, which
    sum to 1, are those that torchmetrics ships. Images are not resized (the authors shrink to 256 px for scores of
    large photographs). Gradients reach the restored images alone.

    Args:
        weights: ``"pretrained"`` backbone, or a ``"random"`` one under the fitted weights: no value of DISTS then.
        seed: of a random backbone.

    Raises:
        MissingAsset: the backbone's weights are not on this machine, or torchmetrics holds no alpha and beta.
    """

    alpha: Tensor
    beta: Tensor

    def __init__(self, weights: BackboneWeights = "pretrained", seed: int = 0) -> None:
        super().__init__()
        self.backbone = _features(weights, seed)
        self.layers = ARCHITECTURES["vgg16"].taps
        alpha, beta = read_weights()
        total = alpha.sum() + beta.sum()
        self.register_buffer("alpha", alpha / total, persistent=False)
        self.register_buffer("beta", beta / total, persistent=False)

    def per_image(
        self,
        restored: Float[Tensor, "batch 3 height width"],
        target: Float[Tensor, "batch 3 height width"],
    ) -> Float[Tensor, "batch"]:
        """The distance of each image: in [0, 2], 0 for equal images.

        Raises:
            Refused: images with a side below 32 px.
        """
        with torch.no_grad():
            wanted = [target, *self.backbone(target).values()]
        found = [restored, *self.backbone(restored).values()]
        likeness = torch.zeros(restored.shape[0], device=restored.device)
        weights = zip(self.alpha.split(CHANNELS), self.beta.split(CHANNELS), strict=True)
        for x, y, (alpha, beta) in zip(found, wanted, weights, strict=True):
            texture, structure = _likeness(wide(x), wide(y))
            likeness = likeness + (alpha * texture + beta * structure).sum(dim=1)
        return 1 - likeness

    def forward(
        self,
        restored: Float[Tensor, "batch 3 height width"],
        target: Float[Tensor, "batch 3 height width"],
    ) -> Float[Tensor, ""]:
        """Mean over the batch of :meth:`per_image`."""
        return self.per_image(restored, target).mean()


class L2Pooling(nn.Module):
    """sqrt(g * x^2 + 1e-12) for each channel, g a 3x3 Hann window that sums to 1, at stride 2 [Henaff & Simoncelli,
    ICLR 2016]: it blurs before it subsamples.
    """

    window: Tensor

    def __init__(self) -> None:
        super().__init__()
        taps = torch.tensor([0.25, 0.5, 0.25])
        self.register_buffer("window", taps.outer(taps).view(1, 1, 3, 3), persistent=False)

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch channels _ _"]:
        """Sides halved, rounded up."""
        planes = wide(x).square().flatten(0, 1).unsqueeze(1)
        with without_autocast(x):
            pooled = F.conv2d(planes, self.window.to(planes.dtype), stride=2, padding=1)
        return (pooled + 1e-12).sqrt().view(*x.shape[:2], *pooled.shape[-2:]).to(x.dtype)


def read_weights() -> tuple[Float[Tensor, "channels"], Float[Tensor, "channels"]]:
    """The fitted alpha and beta, from the data file of the installed torchmetrics.

    Raises:
        MissingAsset: it is not there.
    """
    package = find_spec("torchmetrics")
    place = package.submodule_search_locations if package is not None else None
    file = Path(place[0] if place else "torchmetrics") / "functional" / "image" / "dists_models" / "weights.pt"
    if not file.is_file():
        raise MissingAsset(
            f"the weights of DISTS are not where torchmetrics keeps them ({file}). "
            "Install it with: pip install 'torchmetrics>=1.7'"
        )
    tensors: dict[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    return tensors["alpha"].flatten(), tensors["beta"].flatten()


def _features(weights: BackboneWeights, seed: int) -> nn.Module:
    network = backbone("vgg16", weights, seed)
    for name in [name for name, layer in network.named_modules() if isinstance(layer, nn.MaxPool2d)]:
        network.set_submodule(name, L2Pooling())
    return network.eval()


def _likeness(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """[B, C] of texture and of structure."""
    mean_x, mean_y = (values.mean(dim=(2, 3)) for values in (x, y))
    x, y = x - mean_x[..., None, None], y - mean_y[..., None, None]
    texture = (2 * mean_x * mean_y + C1) / (mean_x.square() + mean_y.square() + C1)
    covariance = (x * y).mean(dim=(2, 3))
    spread = x.square().mean(dim=(2, 3)) + y.square().mean(dim=(2, 3))
    return texture, (2 * covariance + C2) / (spread + C2)
