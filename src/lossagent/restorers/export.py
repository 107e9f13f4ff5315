"""Trained networks as files that other programs open."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn

from lossagent.errors import Failed, Refused
from lossagent.restorers.compact import CompactSR
from lossagent.restorers.foreign import describe
from lossagent.restorers.loading import load_state
from lossagent.restorers.promptir import PromptIR
from lossagent.restorers.swin_attention import WindowAttention
from lossagent.restorers.swinir import SwinIR

FORMATS = (".safetensors", ".pth")
JPEG_WINDOW = 7
"""The published JPEG networks are the only ones with this window; spandrel takes their image range from it."""

DEFAULT_SIZE = 64
"""img_size that spandrel takes where no mask is where it looks for one."""


@dataclass(frozen=True)
class Acquaintance:
    """Whether spandrel knows a network.

    Attributes:
        architecture: its name there, ``None`` where it does not know it, or would take it for another.
        reason: why not; empty otherwise.
    """

    architecture: str | None
    reason: str = ""


def known_to_spandrel(network: nn.Module) -> Acquaintance:
    """Whether spandrel opens the exported network as the same function.

    Told from the network alone, so it can be asked where spandrel is not installed; :func:`reopened` makes sure.
    """
    if isinstance(network, SwinIR):
        reason = _unlike_published(network)
        return Acquaintance(None, reason) if reason else Acquaintance("SwinIR")
    if isinstance(network, CompactSR):
        return Acquaintance(None, "the compact network is this project's own")
    if isinstance(network, PromptIR):
        name = "PromptIR" if network.decoder else "Restormer"
        return Acquaintance(None, f"spandrel has no {name}")
    if type(network).__module__.startswith("spandrel."):
        return Acquaintance(type(network).__module__.removeprefix("spandrel.architectures.").split(".")[0])
    return Acquaintance(None, f"{type(network).__name__} is a class of your own")


def export_restorer(network: nn.Module, facts: Mapping[str, str], out: Path) -> Path:
    """Writes the weights of a network, under the names they have in it.

    Args:
        network: any network; left as it is.
        facts: go into the header of a ``.safetensors`` file, e.g. ``{"network": "swinir", "scale": "4"}``.
        out: ``.safetensors``, or ``.pth`` with the weights under ``params`` and no facts. Replaced when complete.

    Returns:
        ``out``.

    Raises:
        Refused: another kind of file.
        Failed: the disk is full or the folder not writable.
    """
    if out.suffix not in FORMATS:
        raise Refused(f"out must be a file of kind {' or '.join(FORMATS)}; found {out}.")
    # Contiguous copies of their own: safetensors refuses views that share memory (channels-last weights among them).
    state = {n: t.detach().cpu().contiguous().clone() for n, t in network.state_dict().items()}
    temporary = out.with_name(f".{out.name}.tmp")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        if out.suffix == ".safetensors":
            save_file(state, temporary, dict(facts))
        else:
            torch.save({"params": state}, temporary)
        os.replace(temporary, out)
    except (OSError, RuntimeError, SafetensorError) as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise Failed(f"{out} could not be written: {error}") from error
    return out


def reopened(network: nn.Module, path: Path) -> tuple[str, float]:
    """Opens an exported file with spandrel and compares it with the network.

    Args:
        network: what was exported.
        path: the file.

    Returns:
        The architecture that spandrel sees in it, and the largest difference of the two outputs on a small picture.

    Raises:
        MissingPackage: spandrel is not installed.
        Refused: spandrel does not open the file.
    """
    opened = describe(load_state(path), str(path))
    side = opened.trial_side
    picture = torch.rand(1, opened.channels[0], side, side, generator=torch.Generator().manual_seed(0))
    first = next(network.parameters(), picture)
    modes = {module: module.training for module in network.modules()}
    network.eval()
    opened.network.eval()
    try:
        with torch.no_grad():
            ours: Tensor = network(picture.to(first))
            theirs: Tensor = opened.network(picture)
    finally:
        for module, training in modes.items():
            module.training = training
    if ours.shape != theirs.shape:
        return opened.architecture, math.inf
    return opened.architecture, float((ours.float().cpu() - theirs).abs().max())


def _unlike_published(network: SwinIR) -> str:
    """Why spandrel would not see the same SwinIR, or nothing: it tells settings by names and shapes alone."""
    names = network.state_dict().keys()
    attention = [module for module in network.modules() if isinstance(module, WindowAttention)]
    window = network.window_size
    side = network.resolution
    reasons = {
        f"it takes the image range of window {window} for {255 if window == JPEG_WINDOW else 1}": (
            network.img_range != (255.0 if window == JPEG_WINDOW else 1.0)
        ),
        "it knows no learned positions (ape)": network.ape,
        "it knows no SwinIR without normalised patches (patch_norm)": "patch_embed.norm.weight" not in names,
        "it knows no SwinIR without biases of q, k, v (qkv_bias)": (
            "layers.0.residual_group.blocks.0.attn.qkv.bias" not in names
        ),
        "it takes 1 / sqrt(channels of a head) for the scale of logits (qk_scale)": any(
            a.scale != (a.proj.in_features // a.num_heads) ** -0.5 for a in attention
        ),
        "it knows layer normalisation only (norm_layer)": not isinstance(network.norm, nn.LayerNorm),
        "it takes nearest+conv for powers of two": network.upsampler == "nearest+conv"
        and network.upscale not in (2, 4, 8),
        "it takes pixelshuffle for at least x2": network.upsampler == "pixelshuffle" and network.upscale == 1,
        f"it takes img_size {DEFAULT_SIZE} where the first group has one block and later ones have more": (
            "layers.0.residual_group.blocks.1.norm1.weight" not in names
            and any(name.endswith("attn_mask") for name in names)
            and side != (DEFAULT_SIZE, DEFAULT_SIZE)
        ),
        "it knows square img_size only": side[0] != side[1],
    }
    found = [reason for reason, applies in reasons.items() if applies]
    return f"of spandrel's SwinIR: {'; '.join(found)}" if found else ""
