"""Networks that are trained, their discriminators, and how they are applied to whole images."""

from lossagent.restorers.compact import CompactSR
from lossagent.restorers.discriminators import PatchDiscriminator, UNetDiscriminator
from lossagent.restorers.export import Acquaintance, export_restorer, known_to_spandrel, reopened
from lossagent.restorers.foreign import Foreign, load_foreign, parameters_without_gradient
from lossagent.restorers.loading import fit, load_into, load_state
from lossagent.restorers.pixels import from_uint8, to_uint8
from lossagent.restorers.promptir import PromptIR
from lossagent.restorers.swinir import SwinIR
from lossagent.restorers.tables import DISCRIMINATORS, RESTORERS, build, build_discriminator
from lossagent.restorers.vgg_discriminator import VGGDiscriminator
from lossagent.restorers.whole import restore

__all__ = [
    "DISCRIMINATORS",
    "RESTORERS",
    "Acquaintance",
    "CompactSR",
    "Foreign",
    "PatchDiscriminator",
    "PromptIR",
    "SwinIR",
    "UNetDiscriminator",
    "VGGDiscriminator",
    "build",
    "build_discriminator",
    "export_restorer",
    "fit",
    "from_uint8",
    "known_to_spandrel",
    "load_foreign",
    "load_into",
    "load_state",
    "parameters_without_gradient",
    "reopened",
    "restore",
    "to_uint8",
]
