"""Photographs, training patches, image sets to score, and the check that they do not overlap."""

from __future__ import annotations

from lossagent.data.batches import Batch, Sample, collate, sample_indices
from lossagent.data.disjoint import Overlap, check_disjoint, overlaps
from lossagent.data.images import CorruptImage, ImageCache, NamedImage, list_images, pixel_type, read, size
from lossagent.data.matching import Match
from lossagent.data.mixture import Indexed, MixedSampler, promptir_weights
from lossagent.data.patches import PatchSampler
from lossagent.data.photos import demo_credits, demo_split
from lossagent.data.prefetch import Prefetcher
from lossagent.data.sets import Entry, ImageSet, Item, name_rng
from lossagent.data.sources import Photographs, dataset, folder, pairs
from lossagent.data.tasks import Tasks, evaluation_tasks, training_tasks

__all__ = [
    "Batch",
    "CorruptImage",
    "Entry",
    "ImageCache",
    "ImageSet",
    "Indexed",
    "Item",
    "Match",
    "MixedSampler",
    "NamedImage",
    "Overlap",
    "PatchSampler",
    "Photographs",
    "Prefetcher",
    "Sample",
    "Tasks",
    "check_disjoint",
    "collate",
    "dataset",
    "demo_credits",
    "demo_split",
    "evaluation_tasks",
    "folder",
    "list_images",
    "name_rng",
    "overlaps",
    "pairs",
    "pixel_type",
    "promptir_weights",
    "read",
    "sample_indices",
    "size",
    "training_tasks",
]
