"""Methods of somebody else's object that are listened to for a while, or for good."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from lossagent.errors import Refused

Method = Callable[..., Any]


def method_of(model: object, name: str) -> Method:
    """A method of a trainer's model.

    Raises:
        Refused: it has none of this name.
    """
    found = getattr(model, name, None)
    if not callable(found):
        raise Refused(
            f"a model of the BasicSR family has a method {name}(); {type(model).__name__} has none. Give what "
            "build_model() returned."
        )
    return found


@contextmanager
def replaced(model: object, name: str, make: Callable[[Method], Method]) -> Generator[None]:
    """A method is another one inside the block, on this object alone.

    Args:
        model: the object.
        name: the method's name.
        make: the method as it is -> the one in its place.
    """
    before = vars(model).get(name)
    setattr(model, name, make(method_of(model, name)))
    try:
        yield
    finally:
        if before is None:
            delattr(model, name)
        else:
            setattr(model, name, before)


def replace(model: object, name: str, make: Callable[[Method], Method]) -> None:
    """A method is another one from now on, on this object alone; ``make`` as in :func:`replaced`."""
    setattr(model, name, make(method_of(model, name)))
