"""Photographs, training patches, image sets to score, and the check that they do not overlap."""

from __future__ import annotations

from lossagent.data.disjoint import Overlap, check_disjoint, overlaps
from lossagent.data.images import ImageCache, NamedImage, list_images, pixel_type, read, size
from lossagent.data.patches import Batch, PatchSampler
from lossagent.data.photos import demo_credits, demo_split
from lossagent.data.prefetch import Prefetcher
from lossagent.data.sets import ImageSet, Item
from lossagent.data.sources import Photographs, dataset, folder, pairs

__all__ = [
    "Batch",
    "ImageCache",
    "ImageSet",
    "Item",
    "NamedImage",
    "Overlap",
    "PatchSampler",
    "Photographs",
    "Prefetcher",
    "check_disjoint",
    "dataset",
    "demo_credits",
    "demo_split",
    "folder",
    "list_images",
    "overlaps",
    "pairs",
    "pixel_type",
    "read",
    "size",
]
