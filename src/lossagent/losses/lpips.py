"""LPIPS: a perceptual distance whose layer weights were fitted to people's judgements."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lossagent.errors import MissingAsset, UnknownName
from lossagent.losses._precision import wide
from lossagent.restorers.backbones import ARCHITECTURES, BackboneWeights, backbone

LPIPSBackbone = Literal["vgg", "alex", "squeeze"]
BACKBONES: Mapping[str, str] = {"vgg": "vgg16", "alex": "alexnet", "squeeze": "squeezenet1_1"}
"""The paper's name -> the feature network; its usual taps are the paper's layers."""

EPS = 1e-10


class LPIPS(nn.Module):
    """Learned perceptual image patch similarity, version 0.1 [Zhang et al., CVPR 2018, arXiv 1801.03924, eq. (1)].

    sum_l mean_hw sum_c w_lc (f_lc / |f_l| - g_lc / |g_l|)^2 with the fitted w_lc >= 0 that torchmetrics ships. Its
    input layer, (2x - 1 - shift) / scale, is ImageNet's normalisation of x in [0, 1]; the dropout before its heads
    acts only while they are fitted. Gradients reach the restored images alone.

    Args:
        backbone: ``"vgg"`` (VGG16; the authors' choice for optimising), ``"alex"`` (for measuring) or ``"squeeze"``.
        weights: ``"pretrained"`` backbone, or a ``"random"`` one under the fitted heads: no value of LPIPS then.
        seed: of a random backbone.

    Raises:
        UnknownName: another backbone.
        MissingAsset: the backbone's weights are not on this machine, or torchmetrics holds no heads.
    """

    def __init__(self, backbone: LPIPSBackbone = "vgg", weights: BackboneWeights = "pretrained", seed: int = 0) -> None:
        super().__init__()
        if backbone not in BACKBONES:
            raise UnknownName("LPIPS backbone", backbone, BACKBONES)
        self.name = backbone
        self.backbone = _features(BACKBONES[backbone], weights, seed)
        self.layers = ARCHITECTURES[BACKBONES[backbone]].taps
        for layer, head in zip(self.layers, read_heads(backbone), strict=True):
            self.register_buffer(f"head_{layer}", head, persistent=False)

    def per_image(
        self,
        restored: Float[Tensor, "batch 3 height width"],
        target: Float[Tensor, "batch 3 height width"],
    ) -> Float[Tensor, "batch"]:
        """The distance of each image: >= 0, 0 for equal images.

        Raises:
            Refused: images too small for the deepest layer.
        """
        with torch.no_grad():
            wanted = self.backbone(target)
        found = self.backbone(restored)
        total = torch.zeros(restored.shape[0], device=restored.device)
        for layer in self.layers:
            difference = (_unit(wide(found[layer])) - _unit(wide(wanted[layer]))).square()
            head: Tensor = self.get_buffer(f"head_{layer}")
            total = total + (head * difference).sum(dim=1).mean(dim=(1, 2))
        return total

    def forward(
        self,
        restored: Float[Tensor, "batch 3 height width"],
        target: Float[Tensor, "batch 3 height width"],
    ) -> Float[Tensor, ""]:
        """Mean over the batch of :meth:`per_image`."""
        return self.per_image(restored, target).mean()


def read_heads(backbone: LPIPSBackbone) -> list[Float[Tensor, "1 channels 1 1"]]:
    """The fitted weights of each layer, from the data files of the installed torchmetrics.

    Raises:
        MissingAsset: they are not there.
    """
    package = find_spec("torchmetrics")
    place = package.submodule_search_locations if package is not None else None
    file = Path(place[0] if place else "torchmetrics") / "functional" / "image" / "lpips_models" / f"{backbone}.pth"
    if not file.is_file():
        raise MissingAsset(
            f"the LPIPS heads are not where torchmetrics keeps them ({file}). "
            "Install it with: pip install 'torchmetrics>=1.6'"
        )
    tensors: dict[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    return [tensors[f"lin{index}.model.1.weight"] for index in range(len(tensors))]


def _features(name: str, weights: BackboneWeights, seed: int) -> nn.Module:
    return backbone(name, weights, seed)


def _unit(features: Tensor) -> Tensor:
    """Each pixel's feature vector at length 1; one of length 0 stays 0, with gradient 0."""
    return features / (torch.linalg.vector_norm(features, dim=1, keepdim=True) + EPS)
