"""A vision model on 127.0.0.1 that really looks at what it is shown: acts for :class:`fault_server.FaultServer`."""

from __future__ import annotations

from typing import Any

import numpy as np

from fault_server import Act, Request, answer
from lossagent.chat.pictures import pixels_of


def parts_of(request: Request) -> list[dict[str, Any]]:
    """The content parts of the one message of a request."""
    (message,) = request.body["messages"]
    assert message["role"] == "user"
    assert isinstance(message["content"], list)
    return message["content"]


def words_of(request: Request) -> str:
    """The question."""
    (text,) = [part["text"] for part in parts_of(request) if part["type"] == "text"]
    return text


def pictures_of(request: Request) -> list[np.ndarray]:
    """The pictures, decoded."""
    return [pixels_of(part["image_url"]["url"]) for part in parts_of(request) if part["type"] == "image_url"]


def sharpness(pixels: np.ndarray) -> float:
    """Mean absolute difference of horizontal neighbours, in 8-bit steps."""
    return float(np.abs(np.diff(pixels.astype(np.float64), axis=1)).mean())


def seen(request: Request) -> str:
    """What a truthful reviewer says: it compares the sharpness of what it is shown."""
    values = [sharpness(pixels) for pixels in pictures_of(request)]
    if len(values) == 1:
        return f"The picture is {'soft' if values[0] < 8 else 'crisp'}, its edges have strength {values[0]:.1f}."
    better = "sharper than" if values[1] > values[0] else "no sharper than"
    return f"The second picture is {better} the first ({values[1]:.1f} against {values[0]:.1f})."


def reviewer(**facts: Any) -> Act:
    """Answers every question with what it sees."""
    return answer(seen, **facts)
