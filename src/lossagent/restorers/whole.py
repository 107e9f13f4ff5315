"""Applying a network to whole images: padding, tiles, clamping."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lossagent.errors import Refused
from lossagent.restorers.padding import mirror, next_multiple

Progress = Callable[[int, int], None]
"""Called with (tiles done, tiles in all) after each tile."""


def restore(
    network: nn.Module,
    image: Float[Tensor, "batch 3 height width"],
    *,
    scale: int,
    multiple: int = 1,
    strict: bool = False,
    tile: int | None = None,
    overlap: int = 16,
    blend: bool = False,
    reflect: bool = False,
    minimum: int = 1,
    progress: Progress | None = None,
) -> Float[Tensor, "batch 3 rows columns"]:
    """Restores images in evaluation mode without gradients; the network is left as it was, mode by mode.

    **Tiles.** Each output pixel comes from the tile in whose middle it lies: tiles are cut halfway through what they
    share. The result is that of the whole image, borders included, for a network that sees at most ``overlap / 2``
    pixels in each direction (a convolutional network with a receptive field of at most ``overlap + 1``), and has no
    global statistics. Beyond that seams may appear; ``blend`` hides them by fading linearly from tile to tile, exact
    only where a single tile is used. Tiles start at multiples of ``multiple``, so windows lie as in the whole image.

    Args:
        network: images [batch, 3, h, w] -> [batch, 3, h * scale, w * scale].
        image: RGB in [0, 1], on any device; tiles are moved to the network's.
        scale: upscaling factor of the network, 1 for restoration at one size.
        multiple: sides are mirror-padded (edge pixel repeated) to a multiple of it, at the bottom and the right,
            and the result is cropped back.
        strict: pad to the next strictly *larger* multiple, as SwinIR is tested: 8 px even where 8 divides.
        tile: side of a tile in input pixels, a multiple of ``multiple``; ``None`` restores at once.
        overlap: input pixels that neighbouring tiles share at least, less than a tile.
        blend: fade between tiles instead of cutting.
        reflect: pad by the mirror image without the edge pixel, as spandrel does. The border of an image sees it:
            CRAFT x4 gives 32.388 dB on Set5 with it, 32.410 with the edge repeated.
        minimum: least side of what the network gets, in input pixels.
        progress: called after each tile.

    Returns:
        RGB float32, clamped to [0, 1], on the image's device.

    Raises:
        Refused: arguments outside these, or a network whose output has another size.
    """
    if image.ndim != 4 or image.shape[1] != 3 or 0 in image.shape or not image.is_floating_point():
        raise Refused(
            f"image must be float of shape [batch, 3, height, width]; found {image.dtype} {list(image.shape)}."
        )
    if scale < 1 or multiple < 1 or minimum < 1:
        raise Refused(f"scale, multiple and minimum must be at least 1; found {scale}, {multiple} and {minimum}.")
    height, width = image.shape[-2:]
    rows, columns = (next_multiple(max(size, minimum), multiple, strict=strict) for size in (height, width))
    if tile is not None and (tile < 1 or tile % multiple or not 0 <= overlap <= tile - multiple):
        raise Refused(
            f"tile must be a multiple of {multiple} (multiple) and exceed overlap by at least as much; "
            f"found tile {tile}, overlap {overlap}."
        )
    with _evaluating(network), torch.inference_mode():
        padded = mirror(image, rows, columns, repeat_edge=not reflect)
        if tile is None or (rows <= tile and columns <= tile):
            restored = _apply(network, padded, scale).to(image.device)
            if progress is not None:
                progress(1, 1)
        else:
            restored = _tiled(network, padded, scale, multiple, tile, overlap, blend, progress)
    # Outside inference mode the result is a normal tensor, which may be used in training.
    return restored[:, :, : height * scale, : width * scale].float().clamp(0, 1)


@contextmanager
def _evaluating(network: nn.Module) -> Generator[None]:
    """Evaluation mode within, the mode of each module (some may be frozen) as before afterwards."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def _apply(network: nn.Module, image: Tensor, scale: int) -> Tensor:
    first = next(network.parameters(), None)
    restored = network(image if first is None else image.to(first.device))
    wanted = (*image.shape[:2], image.shape[2] * scale, image.shape[3] * scale)
    if tuple(restored.shape) != wanted:
        raise Refused(
            f"the network must enlarge by scale {scale}: images {list(image.shape)} to {list(wanted)}; "
            f"it returned {list(restored.shape)}. Set scale to the network's own."
        )
    return restored


def _tiled(
    network: nn.Module,
    image: Tensor,
    scale: int,
    multiple: int,
    tile: int,
    overlap: int,
    blend: bool,
    progress: Progress | None,
) -> Tensor:
    rows, columns = image.shape[-2:]
    vertical = _axis(rows, tile, multiple, overlap, blend, scale)
    horizontal = _axis(columns, tile, multiple, overlap, blend, scale)
    restored = image.new_zeros(*image.shape[:2], rows * scale, columns * scale, dtype=torch.float32)
    done, count = 0, len(vertical) * len(horizontal)
    for top, down in vertical:
        for left, across in horizontal:
            part = _apply(network, image[:, :, top : top + tile, left : left + tile], scale)
            weights = (down[:, None] * across[None]).to(restored.device)
            height, width = weights.shape
            target = restored[:, :, top * scale :, left * scale :][:, :, :height, :width]
            target += torch.where(weights > 0, part.to(restored.device).float() * weights, 0.0)
            done += 1
            if progress is not None:
                progress(done, count)
    return restored


def _axis(size: int, tile: int, multiple: int, overlap: int, blend: bool, scale: int) -> list[tuple[int, Tensor]]:
    """The tiles of one axis: where each starts, and the weight of each of its output pixels.

    The weights of all tiles at a pixel sum to one. A pixel belongs to the tile whose nearer inner end is farthest
    away; with ``blend`` it belongs to all tiles in proportion to that distance, capped at the overlap.
    """
    side = min(tile, size)
    stride = (tile - overlap) // multiple * multiple
    starts = [*range(0, size - side, stride), size - side]
    # Distances are taken at output resolution, in halves of a pixel, from the ends that are no end of the image.
    position = torch.arange(size * scale, dtype=torch.float64) + 0.5
    depths: list[Tensor] = []
    for start in starts:
        low = position - start * scale if start > 0 else torch.full_like(position, torch.inf)
        high = (start + side) * scale - position if start + side < size else torch.full_like(position, torch.inf)
        depths.append(torch.minimum(low, high))
    depth = torch.stack(depths)
    if blend:
        weights = depth.clamp(0, max(overlap * scale, 1))
        weights = (weights / weights.sum(0)).float()
    else:
        weights = torch.nn.functional.one_hot(depth.argmax(0), len(starts)).T.float()
    return [(s, w[s * scale : (s + side) * scale]) for s, w in zip(starts, weights, strict=True)]
