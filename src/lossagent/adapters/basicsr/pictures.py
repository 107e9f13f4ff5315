"""The restored images of a validation: as the trainer wrote them, or on their way through its model."""

from __future__ import annotations

import re
from collections.abc import Collection, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from lossagent.adapters.basicsr.hooks import Method, replaced
from lossagent.data.images import SUFFIXES
from lossagent.errors import Refused
from lossagent.objectives import Pixels, pixels_of


def validation_images(folder: Path | str, tag: int | str, *, names: Collection[str] | None = None) -> dict[str, Path]:
    """The images that a validation or a test run wrote: image name -> file.

    A validation while training writes ``FOLDER/IMAGE/IMAGE_ITERATION.png`` (some trainers fill the iteration up with
    zeros to six digits, or put the data set into the folder's name); a test run writes ``FOLDER/IMAGE_SUFFIX.png``,
    the suffix being the experiment's name if nothing else was said. Other files, such as copies of the inputs, are
    left alone.

    Args:
        folder: the trainer's folder ``visualization``, or one of a data set inside it.
        tag: the iteration; or the suffix, ``""`` for none.
        names: images that have to be there; others are left out. ``None`` takes whatever is there.

    Raises:
        Refused: no such folder, no image of this tag, two of one name, or one of ``names`` is missing.
    """
    place = Path(folder)
    if not place.is_dir():
        raise Refused(f"{place} is no folder: the trainer writes images only with val: save_img: true.")
    found: dict[str, Path] = {}
    for file in sorted(place.rglob("*")):
        if file.suffix.lower() not in SUFFIXES or (name := _name(file.stem, tag)) is None:
            continue
        if names is not None and name not in names:
            continue
        if name in found:
            raise Refused(f"two images are called {name!r}: {found[name]} and {file}. Give the folder of one data set.")
        found[name] = file
    missing = sorted(set(names or ()) - found.keys())
    if missing or not found:
        what = f"lacks {', '.join(missing)}" if missing else "has no image"
        kind = f"of iteration {tag}" if isinstance(tag, int) else f"with the suffix {tag!r}"
        raise Refused(f"{place} {what} {kind}. The trainer writes them only with val: save_img: true.")
    return found


def _name(stem: str, tag: int | str) -> str | None:
    """The image's name, ``None`` where the file is of another tag."""
    if isinstance(tag, str):
        return stem.removesuffix(f"_{tag}") if not tag or stem.endswith(f"_{tag}") else None
    match = re.fullmatch(r"(.+)_(\d+)", stem)
    return match[1] if match is not None and int(match[2]) == tag else None


@dataclass
class Passing:
    """Images of a validation, as they pass through a model.

    Attributes:
        names: of the images, in order.
        pixels: name -> restored image, where pixels were asked for.
    """

    names: list[str] = field(default_factory=list[str])
    pixels: dict[str, Pixels] = field(default_factory=dict[str, Pixels])


@contextmanager
def passing(model: object, pixels: bool) -> Generator[Passing]:
    """Notes which images are validated inside the block.

    A validation feeds one image after the other (``feed_data``) and fetches what became of it
    (``get_current_visuals``).

    Args:
        model: the trainer's model.
        pixels: whether restored images are kept, as 8-bit pixels, as if they had been written to PNG files.

    Raises:
        Refused: two images of one name; images that are none.
    """
    seen = Passing()

    def feeding(feed: Method) -> Method:
        def feed_data(data: Mapping[str, Any], *rest: Any, **more: Any) -> Any:  # noqa: ANN401  (theirs)
            name = _fed(data, len(seen.names))
            if name in seen.names:
                raise Refused(f"two validation images are called {name!r}; names must differ within a data set.")
            seen.names.append(name)
            return feed(data, *rest, **more)

        return feed_data

    def fetching(fetch: Method) -> Method:
        def get_current_visuals() -> Any:  # noqa: ANN401  (theirs)
            visuals = fetch()
            if pixels and seen.names:
                seen.pixels |= pixels_of({seen.names[-1]: _restored(visuals)})
            return visuals

        return get_current_visuals

    with replaced(model, "feed_data", feeding), replaced(model, "get_current_visuals", fetching):
        yield seen


def _fed(data: Mapping[str, Any], number: int) -> str:
    for key in ("lq_path", "gt_path"):
        if data.get(key):
            return Path(str(data[key][0])).stem
    return str(number)


def _restored(visuals: Mapping[str, Any]) -> Tensor:
    # "rlt" is what BasicSR before 1.0 called it
    image = next((visuals[key] for key in ("result", "rlt") if key in visuals), None)
    if not isinstance(image, Tensor):
        raise Refused(
            f"get_current_visuals() must give the restored image as a tensor 'result'; found {sorted(visuals)}. "
            "Take images from files instead (images='files')."
        )
    return image.float().clamp(0, 1)  # as the family's own writer of files does
