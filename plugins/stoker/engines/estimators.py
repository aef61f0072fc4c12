"""From the name of a function to an unfitted estimator with all its seeds set, and what identifies it."""

from __future__ import annotations

import difflib
import importlib
import inspect
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from stoker.core import wire
from stoker.errors import ModelError, UsageError

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


@dataclass(frozen=True)
class EstimatorSource:
    """The function that builds an estimator.

    :param function: called with the estimator's parameters.
    :param name: its dotted name.
    :param sha256: digest of its own source text (of its name where there is no text, as for compiled code). What the function
        calls is not in it; what comes out of it is recorded as resolved parameters.
    :param file: where it is written.
    """

    function: Callable[..., Any]
    name: str
    sha256: str
    file: Path | None


def find_source(estimator: Callable[..., Any] | str) -> EstimatorSource:
    """Look up the function that builds the estimator.

    :param estimator: a function (or a class of scikit-learn), or its dotted path such as ``flights_estimator.build``.
    :raises UsageError: when there is no such function.
    """
    function = _import(estimator) if isinstance(estimator, str) else estimator
    if not callable(function):
        raise UsageError(
            f"The estimator must be given as a function that returns it, or as the dotted path of one; got "
            f"{ascii(function)[:120]}. Write def build(): return ... and pass build."
        )
    name = f"{getattr(function, '__module__', '?')}.{getattr(function, '__qualname__', type(function).__qualname__)}"
    try:
        text, file = inspect.getsource(function), inspect.getsourcefile(function)
    except (OSError, TypeError):  # typed into a shell, or compiled
        text, file = name, None
    return EstimatorSource(function, name, wire.sha256(text.encode()), Path(file) if file else None)


def build_estimator(source: EstimatorSource, params: Mapping[str, Any], random_state: int) -> Any:
    """Call the function and set every seed that was left open, nested ones too.

    :param params: keyword arguments of the function; ``random_state`` is added when the function takes it.
    :raises UsageError: when the function does not take these parameters.
    :raises ModelError: when it fails or returns no unfitted estimator.
    """
    if not isinstance(params, Mapping):
        raise UsageError(f"estimator_params must map names to values; got {ascii(params)[:80]}.")
    arguments = dict(params)
    signature = _signature(source.function)
    if signature is not None:
        if "random_state" in signature.parameters:
            arguments.setdefault("random_state", random_state)
        _check_arguments(source, signature, arguments)
    try:
        estimator = source.function(**arguments)
    except Exception as error:  # user code
        raise ModelError(
            f"{source.name} must build an estimator; it raised {type(error).__name__}: {str(error)[:300]}."
        ) from error
    _check_estimator(estimator, source.name)
    open_seeds = [name for name, value in estimator.get_params(deep=True).items() if _is_open_seed(name, value)]
    return estimator.set_params(**dict.fromkeys(open_seeds, random_state))


def resolved_params(estimator: Any) -> dict[str, Any]:
    """All parameters of an estimator, nested ones too, in a JSON-safe form that is the same in every process."""
    return {name: json_safe(value) for name, value in sorted(estimator.get_params(deep=True).items())}


def json_safe(value: Any) -> Any:
    """A JSON value that tells equal parameters from different ones; objects become their type's name or their text."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    if isinstance(value, Mapping):
        return {str(key): json_safe(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_safe(item) for item in value]
    if isinstance(value, BaseEstimator):  # its own parameters stand beside it, by deep=True
        return dotted(type(value))
    if hasattr(value, "__qualname__"):  # a class or function
        return dotted(value)
    if hasattr(value, "tolist"):  # of NumPy
        return json_safe(value.tolist())
    return _ADDRESS.sub("", repr(value))


def dotted(thing: Any) -> str:
    """The full name of a class or function."""
    return f"{thing.__module__}.{thing.__qualname__}"


def _import(path: str) -> Any:
    module, _, name = path.rpartition(".")
    if not module or not all(part.isidentifier() for part in path.split(".")):
        raise UsageError(
            f"An estimator must be named by its dotted path, such as 'package.module.build'; got {ascii(path)[:80]}."
        )
    try:
        return getattr(importlib.import_module(module), name)
    except ImportError as error:
        raise UsageError(
            f"The module {module!r} of the estimator must be importable by the task; {error}. Put it beside the DAG or "
            "install it."
        ) from error
    except AttributeError as error:
        near = difflib.get_close_matches(name, dir(importlib.import_module(module)), n=3)
        raise UsageError(
            f"The module {module!r} must hold {name!r}; it does not. Near: {', '.join(near) or 'nothing'}."
        ) from error


def _signature(function: Callable[..., Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):  # compiled code without one
        return None


def _check_arguments(source: EstimatorSource, signature: inspect.Signature, arguments: Mapping[str, Any]) -> None:
    try:
        signature.bind(**arguments)
    except TypeError as error:
        raise UsageError(
            f"{source.name}{signature} must take the estimator_params {sorted(arguments)}; {error}."
        ) from error


def _check_estimator(estimator: Any, name: str) -> None:
    if isinstance(estimator, type):
        raise ModelError(
            f"{name} must return an estimator; it returned the class {estimator.__name__}. Call it: add ()."
        )
    if not (isinstance(estimator, BaseEstimator) and hasattr(estimator, "fit") and hasattr(estimator, "predict")):
        raise ModelError(
            f"{name} must return a scikit-learn estimator with fit and predict; it returned {ascii(estimator)[:120]} of type "
            f"{type(estimator).__name__}."
        )
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        return
    if not any(attribute.endswith("_") and not attribute.startswith("_") for attribute in vars(_last_step(estimator))):
        return  # an estimator that keeps no state counts as fitted in the eyes of scikit-learn
    raise ModelError(
        f"{name} must return an unfitted estimator; it returned a fitted one. Leave fit to the training step."
    )


def _last_step(estimator: Any) -> Any:
    return estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator


def _is_open_seed(name: str, value: Any) -> bool:
    return value is None and name.rpartition("__")[2] == "random_state"
