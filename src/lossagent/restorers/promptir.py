"""PromptIR: one network for several degradations [Potlapalli et al., NeurIPS 2023, arXiv 2306.13090]."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from lossagent.errors import Refused
from lossagent.restorers.restormer_blocks import BlockMaker, Downsample, PatchEmbedding, Upsample

MULTIPLE = 8
"""Sides of inputs must be multiples of it: features are halved three times."""

PUBLISHED_DIM = 48
PUBLISHED_PROMPTS = (64, 128, 320)
LEVELS = 4


class PromptBlock(nn.Module):
    """Eq. (3) to (5): components weighted by what the features look like, at the features' size.

    Args:
        prompt_dim: channels of the prompt.
        prompt_len: components.
        prompt_size: side of the components in pixels.
        lin_dim: channels of the features.
    """

    def __init__(self, prompt_dim: int, prompt_len: int, prompt_size: int, lin_dim: int) -> None:
        super().__init__()
        self.prompt_param = nn.Parameter(torch.rand(1, prompt_len, prompt_dim, prompt_size, prompt_size))
        self.linear_layer = nn.Linear(lin_dim, prompt_len)
        self.conv3x3 = nn.Conv2d(prompt_dim, prompt_dim, 3, padding=1, bias=False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> PromptBlock:
        """What ``to`` does to each tensor. The components have five axes in checkpoints, and as such could not be moved
        to a channels-last layout with the rest of the network."""

        def applied(x: Tensor) -> Tensor:
            return fn(x.squeeze(0)).unsqueeze(0) if x.ndim == 5 else fn(x)

        return super()._apply(applied, recurse)

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch prompt height width"]:
        """The prompt for these features."""
        shares = self.linear_layer(x.mean(dim=(-2, -1))).softmax(dim=1)
        prompt = torch.einsum("bn,nchw->bchw", shares, self.prompt_param.squeeze(0))
        if prompt.shape[-2:] != x.shape[-2:]:
            prompt = F.interpolate(prompt, x.shape[-2:], mode="bilinear", align_corners=False)
        return self.conv3x3(prompt)


class PromptIR(nn.Module):
    """Restormer's encoder and decoder with a prompt between the levels of the decoder; 35.59 M parameters as published.

    The published network is ``PromptIR(decoder=True)``: arguments and parameter names are the published ones, so the
    released checkpoint loads strictly.

    Six weights take part in nothing, as published, and are kept because the released checkpoint holds them:
    :attr:`without_gradient`. They do not require a gradient, so distributed training does not wait for one.

    Differences from the published code:

    - All widths follow ``dim``. There those of prompts and of the layers around them are those of ``dim=48``.
    - ``decoder=False`` is Restormer for images of one kind, with its parameter names and nothing of the prompts. There
      it stops at the first layer after ``latent``, which still expects the prompt's channels.

    Args:
        inp_channels: channels of degraded images.
        out_channels: channels of restored images; equal to ``inp_channels``, or one of the two is 1.
        dim: channels of the first level; level n has 2^(n - 1) times as many.
        num_blocks: transformer blocks of the four levels.
        num_refinement_blocks: blocks after the decoder.
        heads: heads of the four levels; each divides the channels of its level.
        ffn_expansion_factor: hidden channels of feed-forward networks over their input's.
        bias: whether convolutions have a bias.
        LayerNorm_type: ``"WithBias"`` or ``"BiasFree"``.
        decoder: whether there are prompts.
        prompt_dims: channels of the three prompts, from the finest to the coarsest. ``None`` takes them in proportion
            to ``dim``: 64, 128, 320 at 48, rounded so that ``heads[2]`` divides the layers they enter.
        prompt_len: components of a prompt.
        prompt_sizes: sides in pixels of the components of the three prompts.

    Attributes:
        without_gradient: names of the parameters that take part in nothing; empty without prompts.

    Raises:
        Refused: arguments outside these.
    """

    def __init__(
        self,
        inp_channels: int = 3,
        out_channels: int = 3,
        dim: int = PUBLISHED_DIM,
        num_blocks: Sequence[int] = (4, 6, 6, 8),
        num_refinement_blocks: int = 4,
        heads: Sequence[int] = (1, 2, 4, 8),
        ffn_expansion_factor: float = 2.66,
        bias: bool = False,
        LayerNorm_type: str = "WithBias",  # noqa: N803  (its published name)
        decoder: bool = False,
        prompt_dims: Sequence[int] | None = None,
        prompt_len: int = 5,
        prompt_sizes: Sequence[int] = (64, 32, 16),
    ) -> None:
        super().__init__()
        _check(dim, num_blocks, heads, num_refinement_blocks, (inp_channels, out_channels))
        self.inp_channels, self.decoder = inp_channels, decoder
        make = BlockMaker(ffn_expansion_factor, bias, LayerNorm_type)
        widths = [dim * 2**level for level in range(LEVELS)]
        self.patch_embed = PatchEmbedding(inp_channels, dim)
        self.without_gradient: tuple[str, ...] = ()
        if decoder:
            prompts = _prompt_dims(prompt_dims, widths, heads[2])
            self._add_prompts(prompts, widths, prompt_len, prompt_sizes)
            self._add_meetings(prompts, widths, heads[2], make)
            self._add_idle(prompts, widths, make)
        self._add_encoder(widths, num_blocks, heads, make)
        self._add_decoder(widths, num_blocks, heads, make)
        self.refinement = make.row(num_refinement_blocks, widths[1], heads[0])
        self.output = nn.Conv2d(widths[1], out_channels, 3, padding=1, bias=bias)

    def _add_prompts(
        self, prompts: Sequence[int], widths: Sequence[int], prompt_len: int, prompt_sizes: Sequence[int]
    ) -> None:
        if len(prompt_sizes) != LEVELS - 1 or min(*prompt_sizes, prompt_len) < 1:
            raise Refused(
                f"prompt_sizes must be {LEVELS - 1} numbers >= 1, and prompt_len be >= 1; "
                f"found {list(prompt_sizes)} and {prompt_len}."
            )
        self.prompt1 = PromptBlock(prompts[0], prompt_len, prompt_sizes[0], widths[1])
        self.prompt2 = PromptBlock(prompts[1], prompt_len, prompt_sizes[1], widths[2])
        self.prompt3 = PromptBlock(prompts[2], prompt_len, prompt_sizes[2], widths[3])

    def _add_meetings(self, prompts: Sequence[int], widths: Sequence[int], heads: int, make: BlockMaker) -> None:
        """The prompt interaction modules, eq. (6): features and prompt in one block, then back to a narrower width."""
        joint = [width + prompt for width, prompt in zip(widths[1:], prompts, strict=True)]
        self.noise_level1 = make.block(joint[0], heads)
        self.reduce_noise_level1 = make.pointwise(joint[0], widths[1])
        self.noise_level2 = make.block(joint[1], heads)
        self.reduce_noise_level2 = make.pointwise(joint[1], widths[2])
        self.noise_level3 = make.block(joint[2], heads)
        self.reduce_noise_level3 = make.pointwise(joint[2], widths[2])

    def _add_idle(self, prompts: Sequence[int], widths: Sequence[int], make: BlockMaker) -> None:
        """What the released checkpoint holds and nothing uses."""
        coarse = 4 * prompts[0]
        for level, (inputs, outputs) in enumerate(
            ((prompts[0],) * 2, (prompts[1],) * 2, (prompts[2], coarse)), start=1
        ):
            self.add_module(f"chnl_reduce{level}", make.pointwise(inputs, outputs))
            self.add_module(
                f"reduce_noise_channel_{level}", make.pointwise(widths[level - 1] + outputs, widths[level - 1])
            )
        idle = [n for n, _ in self.named_parameters() if n.startswith(("chnl_reduce", "reduce_noise_channel_"))]
        self.without_gradient = tuple(idle)
        for name in idle:
            self.get_parameter(name).requires_grad_(False)

    def _add_encoder(
        self, widths: Sequence[int], blocks: Sequence[int], heads: Sequence[int], make: BlockMaker
    ) -> None:
        self.encoder_level1 = make.row(blocks[0], widths[0], heads[0])
        self.down1_2 = Downsample(widths[0])
        self.encoder_level2 = make.row(blocks[1], widths[1], heads[1])
        self.down2_3 = Downsample(widths[1])
        self.encoder_level3 = make.row(blocks[2], widths[2], heads[2])
        self.down3_4 = Downsample(widths[2])
        self.latent = make.row(blocks[3], widths[3], heads[3])

    def _add_decoder(
        self, widths: Sequence[int], blocks: Sequence[int], heads: Sequence[int], make: BlockMaker
    ) -> None:
        # The third prompt's block has narrowed the deepest features already.
        deep = widths[2] if self.decoder else widths[3]
        self.up4_3 = Upsample(deep)
        self.reduce_chan_level3 = make.pointwise(deep // 2 + widths[2], widths[2])
        self.decoder_level3 = make.row(blocks[2], widths[2], heads[2])
        self.up3_2 = Upsample(widths[2])
        self.reduce_chan_level2 = make.pointwise(2 * widths[1], widths[1])
        self.decoder_level2 = make.row(blocks[1], widths[1], heads[1])
        self.up2_1 = Upsample(widths[1])
        self.decoder_level1 = make.row(blocks[0], widths[1], heads[0])

    def forward(self, inp_img: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch out height width"]:
        """Restores.

        Args:
            inp_img: degraded images, float, nominally in [0, 1], sides multiples of 8.

        Returns:
            Images of the same sides, not clamped: the input plus what the network predicts.

        Raises:
            Refused: another number of channels, or sides that 8 does not divide.
        """
        if inp_img.shape[1] != self.inp_channels:
            raise Refused(f"images must have {self.inp_channels} channels (inp_channels); found {inp_img.shape[1]}.")
        if inp_img.shape[-2] % MULTIPLE or inp_img.shape[-1] % MULTIPLE:
            raise Refused(
                f"sides of images must be multiples of {MULTIPLE}; found {inp_img.shape[-2]}x{inp_img.shape[-1]}. "
                f"Pad them, or give multiple: {MULTIPLE} to what applies the network."
            )
        fine = self.encoder_level1(self.patch_embed(inp_img))
        middle = self.encoder_level2(self.down1_2(fine))
        coarse = self.encoder_level3(self.down2_3(middle))
        x = self.latent(self.down3_4(coarse))
        if self.decoder:
            x = self.reduce_noise_level3(self.noise_level3(torch.cat([x, self.prompt3(x)], 1)))
        x = self.decoder_level3(self.reduce_chan_level3(torch.cat([self.up4_3(x), coarse], 1)))
        if self.decoder:
            x = self.reduce_noise_level2(self.noise_level2(torch.cat([x, self.prompt2(x)], 1)))
        x = self.decoder_level2(self.reduce_chan_level2(torch.cat([self.up3_2(x), middle], 1)))
        if self.decoder:
            x = self.reduce_noise_level1(self.noise_level1(torch.cat([x, self.prompt1(x)], 1)))
        x = self.decoder_level1(torch.cat([self.up2_1(x), fine], 1))
        return self.output(self.refinement(x)) + inp_img


def _prompt_dims(prompt_dims: Sequence[int] | None, widths: Sequence[int], heads: int) -> tuple[int, ...]:
    """Channels of the prompts; see :class:`PromptIR`."""
    if prompt_dims is None:
        joint = [w + p * widths[0] / PUBLISHED_DIM for w, p in zip(widths[1:], PUBLISHED_PROMPTS, strict=True)]
        return tuple(max(round(j / heads) * heads - w, 1) for j, w in zip(joint, widths[1:], strict=True))
    if len(prompt_dims) != LEVELS - 1 or min(prompt_dims) < 1:
        raise Refused(f"prompt_dims must be {LEVELS - 1} numbers >= 1; found {list(prompt_dims)}.")
    if wrong := [p for p, w in zip(prompt_dims, widths[1:], strict=True) if (p + w) % heads]:
        raise Refused(
            f"prompt_dims plus {list(widths[1:])} (2, 4, 8 dim) must be multiples of heads[2], {heads}; found {wrong}."
        )
    return tuple(prompt_dims)


def _check(
    dim: int, num_blocks: Sequence[int], heads: Sequence[int], refinement: int, channels: tuple[int, int]
) -> None:
    if dim < 2 or dim % 2:
        raise Refused(f"dim must be even and at least 2; found {dim}.")
    if len(num_blocks) != LEVELS or len(heads) != LEVELS or min(*num_blocks, refinement) < 0 or min(heads) < 1:
        raise Refused(
            f"num_blocks and heads must each be {LEVELS} numbers, one for each level, and heads at least 1; "
            f"found {list(num_blocks)}, {list(heads)} and num_refinement_blocks {refinement}."
        )
    if min(channels) < 1 or (channels[0] != channels[1] and 1 not in channels):
        raise Refused(
            "inp_channels and out_channels must be equal or one of them be 1, since input and output are added; "
            f"found {channels[0]} and {channels[1]}."
        )
