"""Every metric by name: the one table that the command line and experiment files look into."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import TypeVar

from lossagent.errors import Refused, UnknownName
from lossagent.iqa import Scalar, installed, names
from lossagent.iqa.listing import PREFIX
from lossagent.metrics.base import Metric
from lossagent.metrics.brisque import BRISQUE
from lossagent.metrics.colour import Space
from lossagent.metrics.consistency import Drift, LRConsistency
from lossagent.metrics.dists import DISTSMetric
from lossagent.metrics.foreign import PyIQA
from lossagent.metrics.lattice import LatticePeak
from lossagent.metrics.lpips import Backbone, LPIPSMetric, LPIPSWeights
from lossagent.metrics.ms_ssim import MSSSIM
from lossagent.metrics.niqe import NIQE
from lossagent.metrics.psnr import PSNR
from lossagent.metrics.shifted import ShiftedPerceptual
from lossagent.metrics.ssim import SSIM

T = TypeVar("T")

FOREIGN = PREFIX
"""Prefix of metrics that another package computes."""


@dataclass(frozen=True)
class MetricOptions:
    """What a metric can be asked with; one that a metric does not have is refused, never ignored.

    Attributes:
        space: ``"rgb"`` or ``"y"`` for psnr, ssim and ms_ssim; ``None`` as the name says.
        border: pixels left out on each side, >= 0.
        backbone: network inside a perceptual distance; ``None`` as the name says.
        weights: ``"pretrained"`` or ``"random"`` for perceptual distances; ``None`` is ``"pretrained"``.
        foreign: options of pyiqa's own class, e.g. ``{"color_space": "ycbcr"}``.
        device: where a metric of pyiqa is computed; ``None`` for where the images are.
        download: whether a metric of pyiqa may fetch weights that are missing.
    """

    space: Space | None = None
    border: int = 0
    backbone: Backbone | None = None
    weights: LPIPSWeights | None = None
    foreign: Mapping[str, Scalar] = field(default_factory=dict[str, Scalar])
    device: str | None = None
    download: bool = False

    def only(self, name: str, allowed: frozenset[str]) -> MetricOptions:
        """Itself, when nothing but ``allowed`` is set.

        Raises:
            Refused: names the metric and the option that it does not have.
        """
        default = MetricOptions()
        for option in (f.name for f in fields(self)):
            if option not in allowed and getattr(self, option) != getattr(default, option):
                raise Refused(
                    f"metric {name!r} has no option {option!r}; found {option}={getattr(self, option)!r}. "
                    f"It takes {', '.join(sorted(allowed)) or 'none'}."
                )
        if self.border < 0:
            raise Refused(f"border must be >= 0 px; found {self.border}.")
        return self


Factory = Callable[[MetricOptions], Metric]


def _psnr(options: MetricOptions) -> Metric:
    options.only("psnr", frozenset({"space", "border"}))
    return PSNR(options.space or "rgb", options.border)


def _psnr_y(options: MetricOptions) -> Metric:
    options.only("psnr_y", frozenset({"space", "border"}))
    return PSNR(_fixed(options.space, "y", "psnr_y", "space"), options.border)


def _ssim(options: MetricOptions) -> Metric:
    options.only("ssim", frozenset({"space", "border"}))
    return SSIM(options.space or "rgb", options.border)


def _ssim_y(options: MetricOptions) -> Metric:
    options.only("ssim_y", frozenset({"space", "border"}))
    return SSIM(_fixed(options.space, "y", "ssim_y", "space"), options.border)


def _ms_ssim(options: MetricOptions) -> Metric:
    options.only("ms_ssim", frozenset({"space", "border"}))
    return MSSSIM(options.space or "rgb", options.border)


def _ms_ssim_y(options: MetricOptions) -> Metric:
    options.only("ms_ssim_y", frozenset({"space", "border"}))
    return MSSSIM(_fixed(options.space, "y", "ms_ssim_y", "space"), options.border)


def _niqe(options: MetricOptions) -> Metric:
    return NIQE("limited", options.only("niqe", frozenset({"border"})).border)


def _niqe_yiq(options: MetricOptions) -> Metric:
    return NIQE("yiq", options.only("niqe_yiq", frozenset({"border"})).border)


def _brisque(options: MetricOptions) -> Metric:
    return BRISQUE(options.only("brisque", frozenset({"border"})).border)


def _lpips(backbone: Backbone) -> Factory:
    name = f"lpips-{backbone}"

    def make(options: MetricOptions) -> Metric:
        options.only(name, frozenset({"border", "backbone", "weights"}))
        chosen: Backbone = _fixed(options.backbone, backbone, name, "backbone")
        return LPIPSMetric(chosen, options.weights or "pretrained", options.border)

    return make


def _dists(options: MetricOptions) -> Metric:
    options.only("dists", frozenset({"border", "weights"}))
    return DISTSMetric(options.weights or "pretrained", options.border)


def _shifted_lpips(options: MetricOptions) -> Metric:
    options.only("shifted-lpips", frozenset({"backbone", "weights"}))
    backbone: Backbone = options.backbone or "alex"
    inside = LPIPSMetric(backbone, options.weights or "pretrained")
    return ShiftedPerceptual(
        inside, name="shifted-lpips", backbone=inside.backbone, published=inside.weights == "pretrained"
    )


def _lattice(options: MetricOptions) -> Metric:
    options.only("lattice", frozenset())
    return LatticePeak()


def _lattice8(options: MetricOptions) -> Metric:
    options.only("lattice8", frozenset())
    return LatticePeak(8)


def _lr_consistency(options: MetricOptions) -> Metric:
    return LRConsistency(options.only("lr_consistency", frozenset({"border"})).border)


def _drift(options: MetricOptions) -> Metric:
    return Drift(options.only("drift", frozenset({"border"})).border)


METRICS: Mapping[str, Factory] = MappingProxyType(
    {
        "psnr": _psnr,
        "psnr_y": _psnr_y,
        "ssim": _ssim,
        "ssim_y": _ssim_y,
        "ms_ssim": _ms_ssim,
        "ms_ssim_y": _ms_ssim_y,
        "niqe": _niqe,
        "niqe_yiq": _niqe_yiq,
        "brisque": _brisque,
        "lpips-alex": _lpips("alex"),
        "lpips-squeeze": _lpips("squeeze"),
        "lpips-vgg": _lpips("vgg"),
        "dists": _dists,
        "shifted-lpips": _shifted_lpips,
        "lattice": _lattice,
        "lattice8": _lattice8,
        "lr_consistency": _lr_consistency,
        "drift": _drift,
    }
)
"""name -> what makes the metric from options."""


def create(name: str, options: MetricOptions | None = None) -> Metric:
    """The metric of that name.

    Args:
        name: an entry of :data:`METRICS`, or ``pyiqa:NAME`` (extra ``iqa``); see :class:`PyIQA`.
        options: ``None`` for the defaults.

    Raises:
        UnknownName: names the nearest known one.
        MissingPackage: a metric of pyiqa, and it is not installed.
        Refused: an option that the metric does not have, or one that contradicts its name.
        MissingAsset: weights that are not on this machine; of pyiqa's, when they first score.
    """
    chosen = options or MetricOptions()
    if name.startswith(FOREIGN):
        return _foreign(name, chosen)
    if name not in METRICS:
        foreign = [FOREIGN + name] if installed() and name in names() else []
        raise UnknownName("metric", name, [*METRICS, *foreign])
    return METRICS[name](chosen)


def known() -> tuple[str, ...]:
    """Every name that :func:`create` takes on this machine: the built-in ones, then pyiqa's where it is installed."""
    return (*METRICS, *(FOREIGN + name for name in (names() if installed() else ())))


def _foreign(name: str, options: MetricOptions) -> Metric:
    if options.space is not None:
        raise Refused(
            f"metric {name!r} has no option 'space'; pyiqa calls it color_space, of those that have it: "
            f"--option color_space=ycbcr. Found space={options.space!r}."
        )
    options.only(name, frozenset({"border", "foreign", "device", "download"}))
    return PyIQA(name, options.foreign, border=options.border, device=options.device, download=options.download)


def _fixed(found: T | None, wanted: T, name: str, option: str) -> T:
    if found is not None and found != wanted:
        raise Refused(f"metric {name!r} is of {option} {wanted!r}; found {option}={found!r}.")
    return wanted
