"""Where models of the BasicSR family keep the weights of their losses.

A model has its losses as attributes (``cri_pix``, ``cri_perceptual``, ...) or in a mapping (``losses``); each loss
multiplies by a plain number of its own, or has it multiplied from outside, so that setting the number is all it takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from torch import nn

from lossagent.errors import Refused, UnknownName

STYLE = "style_weight"
KINDS = ("loss_weight", "perceptual_weight", STYLE)
"""Attributes of a loss that hold a weight."""
SHORT = {"perceptual": "percep"}
"""How the family abbreviates the name of a loss in its log."""


@dataclass(frozen=True)
class WeightPlace:
    """One weight on a model.

    Attributes:
        name: the loss's name, as the model has it: ``pix`` for ``cri_pix``, ``percep`` for ``losses["l_g_percep"]``.
        path: attributes and keys from the model to the number, joined by dots: ``cri_perceptual.perceptual_weight``.
        logged: keys that the weighted value may stand under in the model's log.
    """

    name: str
    path: str
    logged: tuple[str, ...] = field(default=(), compare=False)

    def read(self, model: object) -> float:
        """The weight in force.

        Raises:
            Refused: the path leads to no number.
        """
        owner, attribute = self._owner(model)
        value = _number(owner, attribute)
        if value is None:
            raise Refused(
                f"the weight of {self.name!r} must be a number at {self.path}; found "
                f"{getattr(owner, attribute, 'nothing')!r}. The model has: {_listed(find_weights(model), model)}."
            )
        return value

    def write(self, model: object, weight: float) -> None:
        """Puts a weight in force; 0 is off.

        Raises:
            Refused: the path leads to no number.
        """
        self.read(model)
        owner, attribute = self._owner(model)
        setattr(owner, attribute, float(weight))

    def _owner(self, model: object) -> tuple[object, str]:
        *steps, attribute = self.path.split(".")
        found = model
        for step in steps:
            found = _inside(found, step)
        return found, attribute


def find_weights(model: object) -> tuple[WeightPlace, ...]:
    """Every weight that can be found on a model, those of losses that are off included.

    Looked at are the model's attributes and the entries of its mappings and lists; what has ``loss_weight``,
    ``perceptual_weight`` or ``style_weight`` is a loss.
    """
    places: list[WeightPlace] = []
    seen: set[int] = set()
    for path, name, logged, loss in _losses(model):
        if id(loss) in seen:
            continue
        seen.add(id(loss))
        for kind in KINDS:
            if _number(loss, kind) is not None:
                if kind == STYLE:
                    places.append(WeightPlace("style", f"{path}.{kind}", ("l_style", "l_g_style")))
                else:
                    places.append(WeightPlace(name, f"{path}.{kind}", logged))
    return tuple(places)


def weights_on(model: object, weights: Mapping[str, str] | None = None) -> dict[str, float]:
    """Loss name -> weight that the trainer's own configuration gave it: the weights to begin steering with.

    Args:
        model: the trainer's model.
        weights: loss name -> path of its weight; without them every loss whose weight is above 0.

    Raises:
        Refused: no weight is found, or a path that leads to none; two losses of one name.
    """
    if weights is not None:
        return {place.name: place.read(model) for place in chosen_places(model, weights, weights)}
    on = [place for place in find_weights(model) if place.read(model) > 0]
    if not on:
        raise Refused(f"the model has no loss with a weight above 0; found: {_listed(find_weights(model), model)}.")
    return {place.name: place.read(model) for place in chosen_places(model, [place.name for place in on])}


def chosen_places(
    model: object, losses: Iterable[str], weights: Mapping[str, str] | None = None
) -> tuple[WeightPlace, ...]:
    """The weights that losses of these names have on a model.

    Args:
        model: the trainer's model.
        losses: names of the losses that are steered.
        weights: loss name -> path, for losses that the model calls otherwise, or that its names do not tell apart.

    Raises:
        Refused: a loss that is nowhere, or in several places; two losses in one; what there is is named.
        UnknownName: a path for a loss that is not steered.
    """
    names, paths = list(dict.fromkeys(losses)), dict(weights or {})
    for name in paths:
        if name not in names:
            raise UnknownName("loss of weights", name, names)
    found = find_weights(model)
    known = {place.path: place for place in found}
    chosen: list[WeightPlace] = []
    for name in names:
        if name in paths:
            place = known.get(paths[name])
            place = WeightPlace(name, paths[name], place.logged if place is not None else ())
            place.read(model)
        else:
            place = _only([p for p in found if p.name == name], name, _listed(found, model))
        if (other := next((p for p in chosen if p.path == place.path), None)) is not None:
            raise Refused(f"the losses {other.name!r} and {name!r} have one weight, {place.path}: name one of them.")
        chosen.append(place)
    return tuple(chosen)


def _only(places: Sequence[WeightPlace], name: str, all_of_them: str) -> WeightPlace:
    if len(places) == 1:
        return places[0]
    what = f"is in several places ({', '.join(p.path for p in places)})" if places else "is nowhere on the model"
    raise Refused(
        f"the weight of the loss {name!r} {what}. The model has: {all_of_them}. "
        f"Say which is meant, e.g. weights={{{name!r}: 'cri_pix.loss_weight'}}."
    )


def _losses(model: object) -> Iterator[tuple[str, str, tuple[str, ...], object]]:
    """(path, name, keys in the log, loss) of whatever may be a loss."""
    parts = {name: value for name, value in vars(model).items() if not name.startswith("_")}
    if isinstance(model, nn.Module):
        parts |= dict(model.named_children())
    for attribute, value in parts.items():
        name = attribute.removeprefix("cri_")
        word = SHORT.get(name, name)
        yield attribute, name, (f"l_{word}", f"l_g_{word}"), value
        if isinstance(value, Mapping | nn.ModuleDict):
            for key, entry in cast("Mapping[object, object]", value).items():
                # nothing of ours is meant by keys that are no words, or would not survive being joined by dots
                if isinstance(key, str) and "." not in key:
                    yield f"{attribute}.{key}", key.removeprefix("l_").removeprefix("g_"), (key,), entry
        elif isinstance(value, list | tuple | nn.ModuleList):
            for number, entry in enumerate(cast("Iterable[object]", value)):
                yield f"{attribute}.{number}", type(entry).__name__.lower().replace("loss", ""), (), entry


def _inside(found: object, step: str) -> object:
    if isinstance(found, Mapping | nn.ModuleDict):
        return dict(cast("Mapping[str, object]", found).items()).get(step)
    if isinstance(found, list | tuple | nn.ModuleList):
        items = list(cast("Iterable[object]", found))
        return items[int(step)] if step.isdigit() and int(step) < len(items) else None
    return getattr(found, step, None)


def _number(owner: object, attribute: str) -> float | None:
    value = getattr(owner, attribute, None)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _listed(places: Sequence[WeightPlace], model: object) -> str:
    return ", ".join(f"{p.path} = {p.read(model):g} ({p.name!r})" for p in places) or "no weight at all"
