"""Watches what foreign code reads and fetches while it makes a network.

pyiqa's networks fetch their weights by four ways, wherever they miss them: torch.hub, CLIP's own loader, the Hugging
Face hub, and facexlib. All of them end in three functions. While :func:`watched` is open those note what was wanted and
where it would have gone, and fetch it only where that is allowed.
"""

from __future__ import annotations

import inspect
import os
import socket
import sys
import urllib.request
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import httpx
import scipy.io
import torch

SECONDS = 30.0
"""How long a server may be silent."""

NEAR = 12
"""How many callers of ``urlopen`` are looked at."""

SWITCH = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
"""torch's switch by which ``torch.load`` takes tensors alone, whatever its caller asks for."""


@dataclass(frozen=True)
class Wanted:
    """A file that is not on this machine.

    Attributes:
        file: its name.
        folder: where it belongs.
        address: where it comes from.
        repository: of the Hugging Face hub, whose ``folder`` it shares with others; "" for a plain file.
        reason: why fetching it failed, "" where it was not tried.
    """

    file: str
    folder: str
    address: str
    repository: str = ""
    reason: str = ""


@dataclass
class Watch:
    """What was seen.

    Attributes:
        wanted: files that were looked for and are missing, in order, each once.
        used: files that were read.
    """

    wanted: list[Wanted] = field(default_factory=list[Wanted])
    used: list[Path] = field(default_factory=list[Path])

    def want(self, wanted: Wanted) -> None:
        """Notes a missing file."""
        if wanted not in self.wanted:
            self.wanted.append(wanted)

    def use(self, file: object) -> None:
        """Notes a file that is read, by path or as an open one."""
        name = file if isinstance(file, str | os.PathLike) else getattr(file, "name", None)
        if isinstance(name, str | os.PathLike) and (path := Path(name)).is_file() and path not in self.used:
            self.used.append(path)


class NotHere(OSError):
    """Raised inside foreign code in place of a download."""


@contextmanager
def watched(download: bool, unpickle: bool) -> Generator[Watch]:
    """Watches downloads and reads of weights by foreign code.

    Args:
        download: whether files may be fetched; a server may be silent for :data:`SECONDS` then.
        unpickle: whether checkpoints may hold more than tensors, which can run any code.
    """
    watch = Watch()
    with ExitStack() as stack:
        for module, name, function in (
            (torch.hub, "download_url_to_file", _hub(torch.hub.download_url_to_file, watch, download)),
            (urllib.request, "urlopen", _opener(urllib.request.urlopen, watch, download)),
            (torch, "load", _reader(torch.load, watch)),
            (torch.jit, "load", _reader(torch.jit.load, watch)),
            (scipy.io, "loadmat", _reader(scipy.io.loadmat, watch)),
        ):
            stack.enter_context(_replaced(module, name, function))
        stack.enter_context(_hugging_face(watch, download))
        stack.enter_context(_deadline())
        if not unpickle:
            stack.enter_context(_tensors_only())
        yield watch


Function = Callable[..., Any]


def _hub(original: Function, watch: Watch, download: bool) -> Function:
    def fetch(url: str, dst: str, hash_prefix: str | None = None, progress: bool = True) -> None:
        place = Path(dst)
        if not download:
            watch.want(Wanted(place.name, str(place.parent), url))
            raise NotHere(url)
        try:
            original(url, dst, hash_prefix, progress)
        except (OSError, RuntimeError) as error:
            watch.want(Wanted(place.name, str(place.parent), url, reason=_line(error)))
            raise

    return fetch


def _opener(original: Function, watch: Watch, download: bool) -> Function:
    def urlopen(url: object, *rest: object, **named: object) -> object:
        address = str(getattr(url, "full_url", url))
        place = _target(inspect.currentframe())
        file, folder = (place.name, str(place.parent)) if place is not None else (address.rpartition("/")[-1], "")
        if not download:
            watch.want(Wanted(file, folder, address))
            raise NotHere(address)
        try:
            return original(url, *rest, **named)
        except OSError as error:
            if place is not None:
                watch.want(Wanted(file, folder, address, reason=_line(error)))
            raise

    return urlopen


def _target(frame: FrameType | None) -> Path | None:
    """Where CLIP's loaders, which open addresses themselves, would put a file: their own variable says so."""
    for _ in range(NEAR):
        frame = frame.f_back if frame is not None else None
        if frame is not None and "download_target" in frame.f_locals:
            return Path(str(frame.f_locals["download_target"]))
    return None


def _reader(original: Function, watch: Watch) -> Function:
    def load(f: object, *rest: object, **named: object) -> object:
        watch.use(f)
        return original(f, *rest, **named)

    return load


def _line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


@contextmanager
def _replaced(module: object, name: str, function: Function) -> Generator[None]:
    """Puts a function in the place of another one, also where it was imported by name, and takes it back."""
    original: Function = getattr(module, name)
    everywhere = name == "download_url_to_file"
    _swap(module, name, original, function, everywhere)
    try:
        yield
    finally:
        # Modules that were first imported meanwhile hold the replacement.
        _swap(module, name, function, original, everywhere)


def _swap(module: object, name: str, before: Function, after: Function, everywhere: bool) -> None:
    setattr(module, name, after)
    if everywhere:
        for other in list(sys.modules.values()):
            if getattr(other, "__dict__", {}).get(name) is before:
                setattr(other, name, after)


@contextmanager
def _hugging_face(watch: Watch, download: bool) -> Generator[None]:
    try:
        from huggingface_hub import constants, file_download
    except ImportError:
        yield
        return
    inner = "_hf_hub_download_to_cache_dir"
    original: Function | None = getattr(file_download, inner, None)
    offline: bool = constants.HF_HUB_OFFLINE
    # Asked once beforehand: the hub's own client would retry for minutes, file by file.
    silence = _silence(constants.ENDPOINT) if download and not offline else ""

    def fetch(**named: object) -> object:
        assert original is not None
        try:
            path: object = original(**named)
        except Exception as error:
            watch.want(_of_repository(named, silence or (_line(error) if download and not offline else "")))
            raise
        watch.use(path)
        return path

    with ExitStack() as stack:
        if original is not None:
            stack.enter_context(_replaced(file_download, inner, fetch))
        constants.HF_HUB_OFFLINE = offline or not download or bool(silence)
        try:
            yield
        finally:
            constants.HF_HUB_OFFLINE = offline


def _silence(address: str) -> str:
    """Why a server does not answer, "" if it does."""
    try:
        httpx.head(address, timeout=SECONDS / 3)
    except httpx.HTTPError as error:
        return _line(error)
    return ""


def _of_repository(named: Mapping[str, object], reason: str) -> Wanted:
    repository, file = str(named.get("repo_id")), str(named.get("filename"))
    folder = Path(str(named.get("cache_dir"))) / f"models--{repository.replace('/', '--')}"
    return Wanted(file, str(folder), f"https://huggingface.co/{repository}", repository, reason)


@contextmanager
def _deadline() -> Generator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


@contextmanager
def _tensors_only() -> Generator[None]:
    before = os.environ.get(SWITCH)
    os.environ[SWITCH] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[SWITCH]
        else:
            os.environ[SWITCH] = before
