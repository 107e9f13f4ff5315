"""Networks of other architectures, found by spandrel (extra ``archs``) in a checkpoint file, to be trained."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from lossagent.errors import MissingPackage, Refused
from lossagent.restorers.loading import load_state
from lossagent.restorers.padding import next_multiple

TRIAL_SIDE = 32
TOLERANCE = 1e-4


@dataclass(frozen=True)
class Foreign:
    """A network of an architecture that is not ours.

    Attributes:
        network: RGB float32 [batch, 3, height, width] in [0, 1] -> ``scale`` times the sides, not clamped; in training
            mode, all parameters trainable. Its own module, not spandrel's call, which runs in inference mode.
        scale: upscaling factor, 1 for restoration at one size.
        multiple: sides of inputs must be multiples of it.
        minimum: least side of inputs in pixels.
        architecture: spandrel's name of it.
        tags: what spandrel says of its size, e.g. ``"64nf"``.
    """

    network: nn.Module
    scale: int
    multiple: int
    minimum: int
    architecture: str
    tags: tuple[str, ...]


@dataclass(frozen=True)
class Opened:
    """What spandrel says of weights.

    Attributes:
        architecture: its name.
        purpose: ``"SR"``, ``"Restoration"``, ``"FaceSR"``, ...
        channels: of input and output.
        network: the module itself, with the weights.
        call: the module as spandrel applies it, in inference mode and clamped.
        scale, multiple, minimum, tags: see :class:`Foreign`.
    """

    architecture: str
    purpose: str
    channels: tuple[int, int]
    network: nn.Module
    call: Callable[[Tensor], Tensor]
    scale: int
    multiple: int
    minimum: int
    tags: tuple[str, ...]

    @property
    def trial_side(self) -> int:
        """Side of a small picture that it takes."""
        return next_multiple(max(TRIAL_SIDE, self.minimum), self.multiple)


def load_foreign(path: Path, key: str | None = None) -> Foreign:
    """The network in a checkpoint file, its architecture and settings told by names and shapes of its weights.

    The file is read by :func:`lossagent.restorers.load_state`, which runs nothing that is in it. Its network is tried
    once on a small picture.

    Args:
        path: ``.safetensors``, ``.pth``, ``.pt`` or ``.ckpt`` with the weights alone.
        key: see :func:`lossagent.restorers.load_state`.

    Raises:
        MissingPackage: spandrel is not installed.
        Refused: no such file, one that is damaged or a program, an architecture that spandrel does not know, or one
            that is not a restorer of RGB images in [0, 1] by itself.
    """
    opened = describe(load_state(path, key), str(path))
    if opened.purpose not in ("SR", "Restoration"):
        raise Refused(f"{path} holds {opened.architecture}, a network for {opened.purpose}, not a restorer.")
    if opened.channels != (3, 3):
        raise Refused(
            f"{path} holds {opened.architecture} with {opened.channels[0]} channels in and {opened.channels[1]} out; "
            "a restorer takes and gives RGB, 3 and 3."
        )
    # A copy, since what a network keeps from the trial's inference mode could not be trained later.
    network = copy.deepcopy(opened.network)
    _try(opened, network, str(path))
    network.train().requires_grad_(True)
    return Foreign(network, opened.scale, opened.multiple, opened.minimum, opened.architecture, opened.tags)


def describe(state: Mapping[str, Tensor], source: str) -> Opened:
    """What spandrel makes of weights.

    Args:
        state: name -> tensor.
        source: where they come from, for messages.

    Raises:
        MissingPackage, Refused: see :func:`load_foreign`.
    """
    try:
        import spandrel
    except ImportError as error:
        raise MissingPackage("spandrel", "archs", "A network of another architecture") from error
    plain = spandrel.canonicalize_state_dict(dict(state))
    try:
        with _quiet():
            opened = spandrel.ModelLoader().load_from_state_dict(plain)
    except spandrel.UnsupportedModelError as error:
        known = ", ".join(sorted(entry.architecture.name for entry in spandrel.MAIN_REGISTRY))
        raise Refused(
            f"{source} holds no architecture that spandrel knows. It knows: {known}. For another network give its "
            "class as my.module:Net."
        ) from error
    except Exception as error:  # whatever a constructor raises for weights that only look like its own
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise Refused(f"{source} could not be opened by spandrel: {type(error).__name__}: {reason}") from error
    if not isinstance(opened, spandrel.ImageModelDescriptor):
        raise Refused(f"{source} holds {opened.architecture.name}, which also wants a mask; it is not a restorer.")
    opened.model.float()
    size = opened.size_requirements
    return Opened(
        opened.architecture.name,
        opened.purpose,
        (opened.input_channels, opened.output_channels),
        opened.model,
        opened,
        opened.scale,
        size.multiple_of,
        size.minimum,
        tuple(opened.tags),
    )


def parameters_without_gradient(network: nn.Module, channels: int, side: int) -> tuple[str, ...]:
    """Names of the parameters that a backward pass in training mode leaves without a gradient.

    The network's mode, gradients and buffers are left as they were.

    Args:
        network: images [1, channels, side, side] -> images, on the CPU.
        channels, side: of the picture it is tried on.
    """
    trial = copy.deepcopy(network).train()
    trial.zero_grad(set_to_none=True)
    generator = torch.Generator().manual_seed(0)
    # Two pictures, since batch norm over a single value has no variance.
    trial(torch.rand(2, channels, side, side, generator=generator)).float().square().mean().backward()
    return tuple(name for name, p in trial.named_parameters() if p.requires_grad and p.grad is None)


def _try(opened: Opened, network: nn.Module, source: str) -> None:
    """Refuses networks that are no restorers without what spandrel does around them."""
    side, name = opened.trial_side, opened.architecture
    picture = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    network.eval()
    try:
        with _quiet(), torch.no_grad():
            given = picture.clone()
            alone: object = network(given)
            wanted = opened.call(picture.clone())
    except Exception as error:  # whatever a foreign network raises
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise Refused(
            f"{source}: {name} fails on an RGB picture of {side}x{side}: {type(error).__name__}: {reason}. Its network "
            "wants more than an image, or cannot run on this machine."
        ) from error
    if (
        not isinstance(alone, Tensor)
        or alone.shape != wanted.shape
        or not torch.allclose(alone.clamp(0, 1), wanted, atol=TOLERANCE)
    ):
        raise Refused(
            f"{source}: {name} is no restorer of images in [0, 1] by itself: spandrel converts its input or output, "
            "which training would not do. Wrap it in a module of your own and name that as my.module:Net."
        )
    if not torch.equal(given, picture):
        # It scales its input in place (RCAN does): the batch it is trained on must not change under the losses.
        network.register_forward_pre_hook(_given_a_copy)


def _given_a_copy(network: nn.Module, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    del network
    return tuple(argument.clone() for argument in arguments)


@contextmanager
def _quiet() -> Generator[None]:
    """Without the warnings of foreign code, which its users can do nothing about."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
