"""Networks by name, and your own by import path."""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Mapping

from torch import nn

from lossagent.errors import LossAgentError, Refused, UnknownName
from lossagent.restorers.compact import CompactSR
from lossagent.restorers.discriminators import PatchDiscriminator, UNetDiscriminator
from lossagent.restorers.promptir import PromptIR
from lossagent.restorers.swinir import SwinIR
from lossagent.restorers.vgg_discriminator import VGGDiscriminator

RESTORERS: dict[str, type[nn.Module]] = {"swinir": SwinIR, "compact": CompactSR, "promptir": PromptIR}
"""Restorers by the name an experiment asks for them."""

DISCRIMINATORS: dict[str, type[nn.Module]] = {
    "unet": UNetDiscriminator,
    "patch": PatchDiscriminator,
    "vgg": VGGDiscriminator,
}
"""Discriminators by the name an experiment asks for them."""


def build(name: str, arguments: Mapping[str, object]) -> nn.Module:
    """A restorer.

    Args:
        name: a name of :data:`RESTORERS`, or the import path ``"my.module:Net"`` of a module class or a function that
            returns a module.
        arguments: what it is constructed with.

    Raises:
        UnknownName: a name that is not in the table.
        Refused: a path that cannot be imported, arguments it does not take, or a construction that failed.
    """
    return _build("restorer", RESTORERS, name, arguments)


def build_discriminator(name: str, arguments: Mapping[str, object]) -> nn.Module:
    """A discriminator; see :func:`build`, with :data:`DISCRIMINATORS` for a table."""
    return _build("discriminator", DISCRIMINATORS, name, arguments)


def _build(kind: str, table: Mapping[str, type[nn.Module]], name: str, arguments: Mapping[str, object]) -> nn.Module:
    if name in table:
        make: object = table[name]
    elif ":" in name:
        make = _imported(kind, name)
    else:
        raise UnknownName(kind, name, [*table, "my.module:Net"])
    if not callable(make):
        raise Refused(f"{kind} {name!r} must name a class or function; found {type(make).__name__}.")
    _check_arguments(kind, name, inspect.signature(make), arguments)
    try:
        network = make(**arguments)
    except LossAgentError:
        raise
    except Exception as error:  # whatever a foreign constructor raises
        raise Refused(f"{kind} {name!r} could not be built: {type(error).__name__}: {error}") from error
    if not isinstance(network, nn.Module):
        raise Refused(f"{kind} {name!r} must give a torch.nn.Module; found {type(network).__name__}.")
    return network


def _imported(kind: str, path: str) -> object:
    module, _, attribute = path.partition(":")
    if not module or not attribute:
        raise Refused(f"{kind} must be written 'my.module:Net'; found {path!r}.")
    try:
        found = importlib.import_module(module)
    except Exception as error:  # a foreign module may raise anything while it is imported
        raise Refused(
            f"{kind} {path!r}: importing {module!r} failed: {type(error).__name__}: {error}. "
            "It must be installed, or its folder be on PYTHONPATH."
        ) from error
    if not hasattr(found, attribute):
        names = [n for n, value in vars(found).items() if isinstance(value, type) and issubclass(value, nn.Module)]
        raise UnknownName(f"network of the module {module!r}", attribute, names)
    return getattr(found, attribute)


def _check_arguments(kind: str, name: str, signature: inspect.Signature, arguments: Mapping[str, object]) -> None:
    parameters = signature.parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return
    named = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    accepted = ", ".join(p.name for p in named) or "none"
    if unknown := sorted(arguments.keys() - {p.name for p in named}):
        near = difflib.get_close_matches(unknown[0], [p.name for p in named], n=1, cutoff=0.5)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise Refused(f"{kind} {name!r} takes no argument {', '.join(map(repr, unknown))}.{hint} It takes: {accepted}.")
    if missing := [p.name for p in named if p.default is p.empty and p.name not in arguments]:
        raise Refused(f"{kind} {name!r} needs {', '.join(map(repr, missing))}. It takes: {accepted}.")
