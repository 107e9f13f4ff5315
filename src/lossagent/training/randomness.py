"""Random numbers of training as a function of (seed, window, iteration, rank)."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Generator
from contextlib import contextmanager

import numpy as np
import torch

WINDOWS_A_DEPTH = 1_000
"""Replicates that a depth has room for in the numbering of data windows."""
EVIDENCE_WINDOW = 2**24 - 1
"""Window of the fixed batches on which gradients are measured; no stage reaches it."""


def window(depth: int, replicate: int) -> int:
    """Number of the window of training data of a stage: siblings of one replicate share theirs."""
    return depth * WINDOWS_A_DEPTH + replicate


def seed_everything(seed: int, window: int, iteration: int, rank: int = 0) -> None:
    """Seeds torch, numpy and random before an iteration, so that every draw in it is repeatable on its own."""
    digest = hashlib.blake2b(f"{seed}/{window}/{iteration}/{rank}".encode(), digest_size=8).digest()
    number = int.from_bytes(digest, "big")
    # torch.manual_seed would do both, and format a stack trace each time where CUDA is there but not in use.
    torch.default_generator.manual_seed(number >> 1)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(number >> 1)
    np.random.seed(number & 0xFFFFFFFF)
    random.seed(number)


@contextmanager
def saved_generators() -> Generator[None]:
    """Leaves the state of every generator as it was found."""
    python, numbers, cpu = random.getstate(), np.random.get_state(), torch.get_rng_state()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numbers)
        torch.set_rng_state(cpu)
        if cuda:
            torch.cuda.set_rng_state_all(cuda)
