"""Networks that are trained, their discriminators, and how they are applied to whole images."""

from lossagent.restorers.compact import CompactSR
from lossagent.restorers.discriminators import PatchDiscriminator, UNetDiscriminator
from lossagent.restorers.loading import fit, load_into, load_state
from lossagent.restorers.pixels import from_uint8, to_uint8
from lossagent.restorers.swinir import SwinIR
from lossagent.restorers.tables import DISCRIMINATORS, RESTORERS, build, build_discriminator
from lossagent.restorers.whole import restore

__all__ = [
    "DISCRIMINATORS",
    "RESTORERS",
    "CompactSR",
    "PatchDiscriminator",
    "SwinIR",
    "UNetDiscriminator",
    "build",
    "build_discriminator",
    "fit",
    "from_uint8",
    "load_into",
    "load_state",
    "restore",
    "to_uint8",
]
