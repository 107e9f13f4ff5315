"""Weights from checkpoint files, without running what is in them."""

from __future__ import annotations

import copy
import logging
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from lossagent.errors import DoesNotFit, Refused
from lossagent.restorers.scales import scales

WRAPPERS = ("params_ema", "params", "state_dict", "model")
"""Keys under which checkpoints keep their weights, the preferred one first; without any, the file is the weights."""

SUFFIXES = (".safetensors", ".pth", ".pt", ".ckpt")
SHOWN = 5

log = logging.getLogger(__name__)


def load_state(path: Path, key: str | None = None) -> dict[str, Tensor]:
    """The weights in a file, on the CPU.

    ``.pth``, ``.pt`` and ``.ckpt`` are read with ``weights_only=True`` always. Weights are taken from the first of
    ``params_ema``, ``params``, ``state_dict``, ``model`` that is there, else from the file itself; the choice is
    logged. The prefix ``module.`` is dropped where all names have it.

    Args:
        path: the file.
        key: takes the weights from under this key instead.

    Raises:
        Refused: no such file, another kind of file, one that is damaged or holds more than tensors, a key that is not
            in it, or no tensors under it.
    """
    if path.suffix not in SUFFIXES:
        raise Refused(f"weights must be a file of kind {', '.join(SUFFIXES)}; found {path}.")
    if not path.is_file():
        raise Refused(f"weights {path} are not there.")
    content = _read(path)
    chosen = key if key is not None else next((k for k in WRAPPERS if isinstance(content.get(k), Mapping)), None)
    weights: object = content
    if chosen is not None:
        if not isinstance(weights := content.get(chosen), Mapping):
            raise Refused(f"weights {path} have no key {chosen!r} that holds weights; found {_some(content)}.")
        log.info("%s: weights taken from key %r", path, chosen)
    state = {str(name): value for name, value in weights.items() if isinstance(value, Tensor)}
    if not state or len(state) < len(weights):
        others = [str(name) for name, value in weights.items() if not isinstance(value, Tensor)]
        raise Refused(
            f"weights {path} must hold tensors{f' under {chosen!r}' if chosen else ''}; "
            f"found {len(state)} tensors and, of other kinds: {_some(others)}."
        )
    if all(name.startswith("module.") for name in state):
        state = {name.removeprefix("module."): value for name, value in state.items()}
    return state


def _read(path: Path) -> Mapping[str, object]:
    if _is_program(path):
        raise Refused(
            f"weights {path} are a TorchScript program, which is not read because it is code. Save the state_dict of "
            "the network instead."
        )
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        content: object = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise Refused(
            f"weights {path} hold Python objects beside tensors, or are damaged; such files can run code and are not "
            f"read. Save the state_dict alone, or as safetensors. ({str(error).splitlines()[0]})"
        ) from error
    except (OSError, EOFError, RuntimeError, ValueError, SafetensorError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise Refused(f"weights {path} cannot be read; the file is damaged or of another kind. ({reason})") from error
    if not isinstance(content, Mapping):
        raise Refused(f"weights {path} must be a dictionary of tensors; found {type(content).__name__}.")
    return content


def _is_program(path: Path) -> bool:
    """Whether it is a TorchScript archive; those keep their constants in a file of their own."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def load_into(network: nn.Module, path: Path, key: str | None = None) -> None:
    """Loads a file into a network, strictly; a network that does not fit keeps the weights it had.

    Args:
        network: any network.
        path, key: see :func:`load_state`.

    Raises:
        DoesNotFit: names missing or unexpected, or shapes that differ; the message counts them and shows the first.
        Refused: see :func:`load_state`.
    """
    fit(network, load_state(path, key), str(path))


def fit(network: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Loads weights into a network, strictly, or leaves it as it was.

    Args:
        network: any network.
        state: name -> tensor.
        source: where the weights come from, for messages.

    Raises:
        DoesNotFit: see :func:`load_into`.
    """
    before: dict[str, Tensor] = copy.deepcopy(network.state_dict())
    # load_state_dict decides, not a comparison of names: load hooks may supply or replace some.
    shapes: list[str] = []
    try:
        result = network.load_state_dict(dict(state), strict=False)
    except RuntimeError as error:
        other = [n for n, t in before.items() if n in state and state[n].shape != t.shape]
        other = [n for n in other if f" {n}:" in str(error)]
        if not other:
            network.load_state_dict(before)
            raise DoesNotFit(f"weights {source} do not fit {type(network).__name__}: {error}") from error
        shapes = [f"{n} {list(state[n].shape)} in the file, {list(before[n].shape)} in the network" for n in other]
        rest = {name: value for name, value in state.items() if name not in other}
        result = network.load_state_dict(rest | {n: before[n] for n in other}, strict=False)
    missing, unexpected = list(result.missing_keys), list(result.unexpected_keys)
    if not (missing or unexpected or shapes):
        return
    network.load_state_dict(before)
    parts = [
        f"{len(found)} {what}: {_some(found)}"
        for what, found in (
            ("missing from the file", missing),
            ("not in the network", unexpected),
            ("of another shape", shapes),
        )
        if found
    ]
    raise DoesNotFit(
        f"weights {source} do not fit {type(network).__name__}: {'; '.join(parts)}. {_scales(before, state)}"
        "Give the network the arguments that the weights were trained with."
    )


def _scales(wanted: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> str:
    """A sentence for weights of another scale, else nothing."""
    ours, theirs = scales(wanted), scales(found)
    if not ours or not theirs or set(ours) & set(theirs):
        return ""
    looks, is_for = (" or ".join(f"x{scale}" for scale in group) for group in (theirs, ours))
    return f"The file looks like a network for {looks}, and this one is for {is_for}. "


def _some(names: Mapping[str, object] | list[str]) -> str:
    first = list(names)[:SHOWN]
    return ", ".join(first) + (", ..." if len(names) > SHOWN else "") if first else "nothing"
