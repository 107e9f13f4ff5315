"""For trainers whose script is not to be changed: what it builds is hooked as soon as it is there."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from lossagent.adapters.basicsr.hooks import Method, replaced
from lossagent.errors import Refused

LOADERS = "create_train_val_dataloader"
BUILDERS = ("build_model", "create_model")


@contextmanager
def hooked(module: object, hook: Callable[[Any, Any], object]) -> Generator[None]:
    """Inside the block, a trainer's module calls ``hook(model, val_loaders)`` with every model that it builds.

    ::

        import basicsr.train

        def hook(model, val_loaders):
            steering = lossagent.steer("runs/mine", weights_on(model), metric="niqe")
            steer_model(model, steering, val_loaders)

        with hooked(basicsr.train, hook):
            basicsr.train.train_pipeline(".")

    Args:
        module: the module with ``train_pipeline``, which calls ``create_train_val_dataloader`` and ``build_model`` by
            these names: ``basicsr.train`` (Real-ESRGAN's too), or the ``train.py`` of traiNNer-redux or neosr.
        hook: called with the model and the validation loaders, before training is resumed.

    Raises:
        Refused: the module has no such functions.
    """
    loaders: list[Any] = []
    builder = next((name for name in BUILDERS if callable(getattr(module, name, None))), None)
    if builder is None or not callable(getattr(module, LOADERS, None)):
        raise Refused(
            f"{getattr(module, '__name__', module)} must have the functions {LOADERS} and build_model, as the train.py "
            "of the BasicSR family has. Call steer_model in your own script instead."
        )

    def loading(load: Method) -> Method:
        def create_train_val_dataloader(*given: Any, **more: Any) -> Any:  # noqa: ANN401  (theirs)
            made = load(*given, **more)
            loaders[:] = [made[2]]  # training loader, sampler, validation loaders, epochs, iterations
            return made

        return create_train_val_dataloader

    def building(build: Method) -> Method:
        def build_model(*given: Any, **more: Any) -> Any:  # noqa: ANN401  (theirs)
            model = build(*given, **more)
            if not loaders:
                raise Refused("the trainer builds its model before its data: call steer_model in your own script.")
            hook(model, loaders[0])
            return model

        return build_model

    with replaced(module, LOADERS, loading), replaced(module, builder, building):
        yield
