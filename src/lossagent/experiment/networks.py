"""Networks and losses."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from lossagent.experiment.base import Settings


class NetworkSettings(Settings):
    """A network: what it is made of and what it starts from.

    Attributes:
        network: ``compact``, ``swinir``, ``promptir``, ... or an import path ``my.module:Net``; ``spandrel`` for the
            architecture that spandrel finds in the file ``start``.
        arguments: arguments of the network's constructor, by name.
        start: checkpoint to start from: a path, the name of one of ours (``compact_x4``) or of an asset.
        key: entry of the checkpoint that holds the weights; ``null`` looks for ``params_ema``, ``params``, ...
    """

    network: str
    arguments: dict[str, Any] = Field(default={})
    start: str | None = None
    key: str | None = None


class RestorerSettings(NetworkSettings):
    """The network that is trained, and how it is applied to whole images.

    Attributes:
        multiple: inputs are mirror-padded to a multiple of it.
        strictly_larger: pad to the next strictly larger multiple (SwinIR's way of testing).
        tile: side of a tile in input pixels for large images, ``null`` for whole images.
    """

    multiple: int = Field(default=1, ge=1)
    strictly_larger: bool = False
    tile: int | None = Field(default=None, ge=16)


class LossSettings(Settings):
    """A loss of the repository and its initial weight.

    Attributes:
        kind: ``l1``, ``mse``, ``charbonnier``, ``perceptual``, ``lpips``, ``adversarial``, ``ssim``, ``ms-ssim``,
            ``tv``, ``fft``, ``focal-frequency``, ``edge``, ``ldl``, ``dists``, ``metric``.
        weight: w_m of the first stage; 0 switches it off.
        backbone: feature network of ``perceptual`` and ``lpips``; ``dists`` has VGG16.
        weights: ``pretrained`` or ``random`` (named in the report) weights of the backbone.
        layers: layer -> weight, ``null`` for the published ones.
        adversarial: GAN criterion: ``vanilla``, ``lsgan``, ``hinge``, ``ragan``, ``wgan-softplus``.
        discriminator: the opponent of ``adversarial``.
        isotropic: of ``tv``: gradient lengths rather than the sum of both directions.
        refine: of ``ldl``: leave alone what the average of the weights does worse.
        metric: of ``metric``: the metric that is the loss, ``pyiqa:NAME``.
        metric_options: of ``metric``: arguments of pyiqa's own class.
        download: of ``metric``: whether weights that are missing may be fetched.
        unpickle: of ``metric``: whether checkpoints may hold more than tensors, which can run any code.
        sharpened: whether it compares with the sharpened target where the degradation makes one; ``null`` for what is
            published: all losses but adversarial ones.
    """

    kind: str
    weight: float
    backbone: str | None = None
    weights: Literal["pretrained", "random"] = "pretrained"
    layers: dict[str, float] | None = None
    adversarial: str = "vanilla"
    discriminator: NetworkSettings | None = None
    isotropic: bool = False
    refine: bool = True
    metric: str | None = None
    metric_options: dict[str, bool | int | float | str] = Field(default={})
    download: bool = False
    unpickle: bool = False
    sharpened: bool | None = None
