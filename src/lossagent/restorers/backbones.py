"""Frozen feature networks by name: images in [0, 1] -> the features of some layers.

Each normalises its input itself, stays in evaluation mode, never changes, and lets the gradient through to the images.
Weights are the published ones, which must be on this machine, or random ones from a seed; never one for the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from lossagent.assets import asset, locate
from lossagent.errors import DoesNotFit, Refused, UnknownName
from lossagent.restorers.classifiers import alexnet, squeezenet, vgg
from lossagent.restorers.efficientnet_lite import EfficientNetLite0, fold_batch_norm

BackboneWeights = Literal["pretrained", "random"]
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
LITE = ((127 / 255,) * 3, (128 / 255,) * 3)


@dataclass(frozen=True)
class Architecture:
    """A feature network before it has weights.

    Attributes:
        layers: gives the layers in a row, by name; on the meta device it allocates nothing.
        normalisation: mean and standard deviation of RGB in [0, 1].
        taps: layers whose features are given unless others are asked for.
        smallest: least side of an image in pixels for the deepest layer.
    """

    layers: Callable[[], Mapping[str, nn.Module]]
    normalisation: tuple[tuple[float, ...], tuple[float, ...]]
    taps: tuple[str, ...]
    smallest: int


ARCHITECTURES: Mapping[str, Architecture] = {
    "vgg19": Architecture(lambda: vgg("vgg19"), IMAGENET, ("conv1_2", "conv2_2", "conv3_4", "conv4_4", "conv5_4"), 32),
    "vgg16": Architecture(lambda: vgg("vgg16"), IMAGENET, ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3"), 32),
    "alexnet": Architecture(alexnet, IMAGENET, ("relu1", "relu2", "relu3", "relu4", "relu5"), 31),
    "squeezenet1_1": Architecture(
        squeezenet, IMAGENET, ("relu1", "fire3", "fire5", "fire6", "fire7", "fire8", "fire9"), 17
    ),
    "efficientnet-lite0": Architecture(lambda: EfficientNetLite0().layers(), LITE, ("stage1", "stage2", "stage3"), 1),
}
"""Name -> architecture; the names are those of the assets that hold the weights."""


@final
class Backbone(nn.Module):
    """A feature network; made by :func:`backbone`.

    Attributes:
        name: name of the architecture.
        weights: ``"pretrained"`` or ``"random"``.
        layers: names of the layers whose features are given, in order of depth.
        facts: what a report should say about it.
    """

    def __init__(
        self,
        name: str,
        stages: Mapping[str, nn.Module],
        layers: tuple[str, ...],
        weights: BackboneWeights,
        seed: int,
        upsample: int,
    ) -> None:
        super().__init__()
        architecture = ARCHITECTURES[name]
        self.name = name
        self.weights: BackboneWeights = weights
        self.layers = layers
        self.upsample = upsample
        self.smallest = architecture.smallest
        self._stages = nn.ModuleDict(stages)
        mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in architecture.normalisation)
        self.scale: Tensor
        self.shift: Tensor
        self.register_buffer("scale", 1 / std, persistent=False)
        self.register_buffer("shift", -mean / std, persistent=False)
        self.facts: dict[str, str | int] = {"backbone": name, "weights": weights, "layers": " ".join(layers)}
        self.facts |= {"upsample": upsample}
        self.facts |= {"seed": seed} if weights == "random" else {"sha256": asset(name).sha256}
        self.requires_grad_(False)
        self.train(False)

    def train(self, mode: bool = True) -> Backbone:
        """Stays in evaluation mode, whatever surrounds it."""
        del mode
        super().train(False)
        return self

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> dict[str, Float[Tensor, "batch _ _ _"]]:
        """Features by layer.

        Args:
            images: RGB, nominally in [0, 1]; computed in the dtype of the network.

        Returns:
            Layer -> [batch, channels, rows, columns], for ``layers``.

        Raises:
            Refused: images too small for the deepest layers.
        """
        if min(images.shape[-2:]) * self.upsample < self.smallest:
            raise Refused(
                f"images for {self.name} need sides of at least {-(-self.smallest // self.upsample)} px; "
                f"found {images.shape[-2]}x{images.shape[-1]}."
            )
        x = (images * self.scale + self.shift).to(self.scale.dtype)
        if self.upsample > 1:
            x = F.interpolate(x, scale_factor=float(self.upsample), mode="bilinear", align_corners=False)
        if x.device.type == "cpu":  # convolutions of few channels are faster there with the channels last
            x = x.contiguous(memory_format=torch.channels_last)
        found: dict[str, Tensor] = {}
        for name, stage in self._stages.items():
            x = stage(x)
            if name in self.layers:
                found[name] = x
        return found


def backbone(
    name: str,
    weights: BackboneWeights = "pretrained",
    seed: int = 0,
    layers: Iterable[str] | None = None,
    upsample: int = 1,
) -> Backbone:
    """A frozen feature network that computes no deeper than its last tap.

    Args:
        name: ``vgg19``, ``vgg16``, ``alexnet``, ``squeezenet1_1`` or ``efficientnet-lite0``.
        weights: ``"pretrained"`` (ImageNet) or ``"random"`` (He's initialisation from ``seed``): random features still
            measure structure, but no published value can be had with them.
        seed: of random weights; the global generators are not touched.
        layers: names of the layers wanted, ``None`` for the usual ones. ``conv..`` layers of VGG are before their
            ReLU; the stages of EfficientNet-Lite0 are linear.
        upsample: factor by which images are enlarged (bilinear) first. A network whose first layer is strided sees
            images on a grid, in which a restorer can hide a lattice; 2 undoes EfficientNet-Lite0's stride.

    Raises:
        UnknownName: an unknown network or layer.
        Refused: no layers, an ``upsample`` below 1, or weights of another kind.
        MissingAsset: pretrained weights are not on this machine.
        Damaged: they are, and not whole.
    """
    if name not in ARCHITECTURES:
        raise UnknownName("backbone", name, ARCHITECTURES)
    if weights not in ("pretrained", "random"):
        raise Refused(f"weights must be 'pretrained' or 'random'; found {weights!r}.")
    if upsample < 1:
        raise Refused(f"upsample must be at least 1; found {upsample}.")
    with torch.device("meta"):
        every = dict(ARCHITECTURES[name].layers())
    wanted = set(ARCHITECTURES[name].taps if layers is None else layers)
    for layer in wanted - every.keys():
        raise UnknownName(f"layer of {name}", layer, every)
    if not wanted:
        raise Refused(f"layers of {name} must name at least one layer; found none.")
    taps = tuple(layer for layer in every if layer in wanted)
    if name == "efficientnet-lite0":
        stages = dict(_efficientnet_lite0(weights, seed).layers())
    else:
        stages = _classifier(name, every, taps[-1], weights, seed)
    depth = list(stages).index(taps[-1]) + 1
    used = dict(list(stages.items())[:depth])
    _save_memory(used, taps)
    return Backbone(name, used, taps, weights, seed, upsample)


def _classifier(
    name: str, every: Mapping[str, nn.Module], last: str, weights: BackboneWeights, seed: int
) -> dict[str, nn.Module]:
    """The layers up to the last one, with weights."""
    depth = list(every).index(last) + 1
    stages = dict(list(every.items())[:depth])
    network = nn.Sequential(*stages.values())
    prefix = "features."
    _fill(network, weights, seed, {} if weights == "random" else _read(name, prefix))
    return stages


def _efficientnet_lite0(weights: BackboneWeights, seed: int) -> EfficientNetLite0:
    with torch.device("meta"):
        network = EfficientNetLite0()
    _fill(network, weights, seed, {} if weights == "random" else _read("efficientnet-lite0", ""))
    return fold_batch_norm(network)


def _read(name: str, prefix: str) -> dict[str, Tensor]:
    """Tensors of an asset whose names begin with the prefix, without it; nothing in the file is run."""
    tensors: dict[str, Tensor] = torch.load(locate(name, check=True), map_location="cpu", weights_only=True)
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}


def _fill(network: nn.Module, weights: BackboneWeights, seed: int, tensors: Mapping[str, Tensor]) -> None:
    """Gives a network on the meta device its weights."""
    if weights == "random":
        network.to_empty(device="cpu")
        generator = torch.Generator().manual_seed(seed)
        for module in network.modules():
            _initialise(module, generator)
        return
    wanted = network.state_dict()
    unfit = sorted(k for k, v in wanted.items() if k not in tensors or tensors[k].shape != v.shape)
    if unfit:
        raise DoesNotFit(f"the weights lack {len(unfit)} of {len(wanted)} tensors or hold other shapes: {unfit[:5]}.")
    network.load_state_dict({key: tensors[key] for key in wanted}, assign=True)


def _initialise(module: nn.Module, generator: torch.Generator) -> None:
    """He's normal initialisation [arXiv 1502.01852]; zero biases; batch normalisations that do nothing."""
    if isinstance(module, nn.BatchNorm2d):
        module.reset_parameters()
    elif isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def _save_memory(stages: Mapping[str, nn.Module], taps: tuple[str, ...]) -> None:
    """Lets a ReLU overwrite its input, unless that is a tap: a tap before a ReLU must stay what it was."""
    before = ""
    for name, stage in stages.items():
        if isinstance(stage, nn.ReLU) and before not in taps:
            stage.inplace = True
        before = name
