"""Losses by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import cast, get_args

from torch import nn

from lossagent.errors import Refused, UnknownName
from lossagent.iqa import Scalar
from lossagent.losses.adversarial import Adversarial
from lossagent.losses.base import Loss
from lossagent.losses.charbonnier import Charbonnier
from lossagent.losses.dists import DISTS
from lossagent.losses.edge import Edge
from lossagent.losses.fft import FFT
from lossagent.losses.focal_frequency import FocalFrequency
from lossagent.losses.foreign import MetricLoss
from lossagent.losses.l1 import L1
from lossagent.losses.ldl import LDL
from lossagent.losses.lpips import LPIPS, LPIPSBackbone
from lossagent.losses.ms_ssim import MSSSIM
from lossagent.losses.mse import MSE
from lossagent.losses.perceptual import Perceptual
from lossagent.losses.ssim import SSIM
from lossagent.losses.total_variation import TotalVariation
from lossagent.restorers.backbones import BackboneWeights


@dataclass(frozen=True)
class LossOptions:
    """What a loss may be made from; each kind takes some of it.

    Attributes:
        backbone: feature network of ``perceptual`` and ``lpips``; ``None`` for their usual one.
        weights: ``pretrained`` or ``random`` weights of the backbone of ``perceptual``, ``lpips`` and ``dists``.
        layers: layer -> weight of ``perceptual``; ``None`` for the usual ones.
        adversarial: criterion of ``adversarial``.
        discriminator: the opponent of ``adversarial``.
        isotropic: whether ``tv`` takes the length of the gradient in place of the sum of its parts.
        refine: whether the map of ``ldl`` is refined by the averaged restorer's output, which it then needs.
        metric: of ``metric``: ``pyiqa:NAME``.
        metric_options: of that metric, e.g. ``{"color_space": "ycbcr"}``.
        download: whether weights of that metric may be fetched.
        unpickle: whether checkpoints of that metric may hold more than tensors, which can run any code.
    """

    backbone: str | None = None
    weights: BackboneWeights = "pretrained"
    layers: Mapping[str, float] | None = None
    adversarial: str = "vanilla"
    discriminator: nn.Module | None = None
    isotropic: bool = False
    refine: bool = True
    metric: str | None = None
    metric_options: Mapping[str, Scalar] = field(default_factory=dict[str, Scalar])
    download: bool = False
    unpickle: bool = False


@dataclass(frozen=True)
class LossKind:
    """A row of the table.

    Attributes:
        make: options -> loss.
        takes: names of the options it looks at; others must be left alone.
        facts: what raising its weight does to the picture, in a line, for prompts.
    """

    make: Callable[[LossOptions], Loss]
    takes: frozenset[str]
    facts: str


class LossTable(Mapping[str, LossKind]):
    """Name -> kind of loss.

    Args:
        kinds: the rows.
    """

    def __init__(self, kinds: Mapping[str, LossKind]) -> None:
        self._kinds = dict(kinds)

    def __getitem__(self, name: str) -> LossKind:
        return self._kinds[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._kinds)

    def __len__(self) -> int:
        return len(self._kinds)

    def create(self, kind: str, options: LossOptions | None = None) -> Loss:
        """A loss.

        Raises:
            UnknownName: no such kind, backbone or layer.
            Refused: options that this kind does not take, or none where it needs one.
            MissingAsset: weights that are not on this machine.
        """
        row, options = self._row(kind), options if options is not None else LossOptions()
        usual = LossOptions()
        given = [f.name for f in fields(options) if getattr(options, f.name) != getattr(usual, f.name)]
        if wrong := [name for name in given if name not in row.takes]:
            takes = ", ".join(sorted(row.takes)) or "none"
            raise Refused(f"loss {kind!r} takes no option {', '.join(wrong)}. It takes: {takes}.")
        return row.make(options)

    def facts(self, kind: str) -> str:
        """What raising the weight of such a loss does to the picture.

        Raises:
            UnknownName: no such kind.
        """
        return self._row(kind).facts

    def _row(self, kind: str) -> LossKind:
        if kind not in self._kinds:
            raise UnknownName("loss", kind, self._kinds)
        return self._kinds[kind]


def _perceptual(options: LossOptions) -> Loss:
    return Perceptual(options.backbone or "vgg19", options.layers, weights=options.weights)


def _lpips(options: LossOptions) -> Loss:
    name = options.backbone or "vgg"
    if name not in get_args(LPIPSBackbone):
        raise UnknownName("LPIPS backbone", name, get_args(LPIPSBackbone))
    return LPIPS(cast(LPIPSBackbone, name), options.weights)


def _metric(options: LossOptions) -> Loss:
    if options.metric is None:
        raise Refused("loss 'metric' needs the option metric, the name of a metric of pyiqa: pyiqa:NAME; found none.")
    return MetricLoss(options.metric, options.metric_options, download=options.download, unpickle=options.unpickle)


def _adversarial(options: LossOptions) -> Loss:
    if options.discriminator is None:
        raise Refused("loss 'adversarial' needs the option discriminator, a network: images -> logits; found none.")
    return Adversarial(options.discriminator, options.adversarial)


LOSSES = LossTable(
    {
        "l1": LossKind(lambda _: L1(), frozenset(), "pixel fidelity; raises PSNR, smooths texture"),
        "mse": LossKind(lambda _: MSE(), frozenset(), "pixel fidelity, large errors most; raises PSNR, smooths most"),
        "charbonnier": LossKind(
            lambda _: Charbonnier(), frozenset(), "pixel fidelity like L1; raises PSNR, smooths texture"
        ),
        "ssim": LossKind(
            lambda _: SSIM(), frozenset(), "local structure and contrast; crisper edges than L1, colours may drift"
        ),
        "ms-ssim": LossKind(
            lambda _: MSSSIM(),
            frozenset(),
            "structure at five scales; keeps contrast, colours may drift",
        ),
        "tv": LossKind(
            lambda options: TotalVariation(options.isotropic),
            frozenset({"isotropic"}),
            "penalises change between neighbours; removes noise and ringing, too much flattens texture",
        ),
        "fft": LossKind(lambda _: FFT(), frozenset(), "same spectrum; restores high frequencies and sharpness"),
        "focal-frequency": LossKind(
            lambda _: FocalFrequency(), frozenset(), "same spectrum, worst frequencies most; removes periodic artefacts"
        ),
        "edge": LossKind(
            lambda _: Edge(), frozenset(), "same fine edges; sharper contours and texture, colours matter little"
        ),
        "ldl": LossKind(
            lambda options: LDL(options.refine),
            frozenset({"refine"}),
            "holds back artefacts of adversarial training; cleaner, too much smooths texture",
        ),
        "perceptual": LossKind(
            _perceptual,
            frozenset({"backbone", "weights", "layers"}),
            "similar features in a classifier; sharpens edges and structure, too much makes patterns",
        ),
        "lpips": LossKind(
            _lpips,
            frozenset({"backbone", "weights"}),
            "likeness as people judge it; sharper and more natural, too much makes patterns",
        ),
        "dists": LossKind(
            lambda options: DISTS(options.weights),
            frozenset({"weights"}),
            "likeness of texture rather than of pixels; richer texture, details need not lie where they were",
        ),
        "adversarial": LossKind(
            _adversarial,
            frozenset({"adversarial", "discriminator"}),
            "looks like a real photograph; adds realistic texture, too much makes artefacts and noise",
        ),
        "metric": LossKind(
            _metric,
            frozenset({"metric", "metric_options", "download", "unpickle"}),
            "raises a quality score directly; the score can be gamed, which shows as patterns and noise",
        ),
    }
)
"""The losses that an experiment can ask for."""
