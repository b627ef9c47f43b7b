"""Commands that take the options of `predict` beside their own, without listing them again."""

import inspect
from collections.abc import Callable, Collection
from functools import wraps
from typing import TYPE_CHECKING, Any

from lsafnet_cli.commands.predict import make_predict_options, predict

if TYPE_CHECKING:
    from lsafnet_cli.options import PredictOptions

SHARED = "predict_options"


def with_predict_options(without: Collection[str]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add the options of `predict` to a command, but for those named; they reach it as `predict_options`."""

    def add(command: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(command).parameters
        shared = {
            name: one
            for name, one in inspect.signature(predict).parameters.items()
            if name not in without and name not in own and one.default is not inspect.Parameter.empty
        }
        left_out = {
            name: one.default
            for name, one in inspect.signature(predict).parameters.items()
            if name not in shared
        }

        @wraps(command)
        def run(**given: Any) -> None:
            asked = {name: given.pop(name) for name in shared}
            options: PredictOptions = make_predict_options({**left_out, **asked})
            command(**given, **{SHARED: options})

        parameters = [one for name, one in own.items() if name != SHARED] + list(shared.values())
        parameters.sort(key=lambda one: one.default is not inspect.Parameter.empty)
        del run.__wrapped__
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in parameters}
        return run

    return add
