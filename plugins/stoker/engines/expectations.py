"""Great Expectations, reduced to what a step needs: expectations in, one :class:`Check` for each out.

It runs in a context that lives in memory and is thrown away; nothing is sent anywhere and no report is written.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from stoker.core import wire
from stoker.engines.examples import show_examples
from stoker.engines.personal import MASK
from stoker.errors import ConfigurationError

# Importing it logs some two hundred lines at INFO, which is the level of an Airflow task.
logging.getLogger("great_expectations").setLevel(logging.WARNING)

import great_expectations as gx  # noqa: E402 - after its logger was turned down
from great_expectations.data_context.types.base import (  # noqa: E402
    DataContextConfig,
    InMemoryStoreBackendDefaults,
    ProgressBarsConfig,
)
from great_expectations.exceptions import GreatExpectationsError  # noqa: E402
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration  # noqa: E402
from great_expectations.expectations.registry import list_registered_expectation_implementations  # noqa: E402

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

SEVERITIES = ("critical", "warning", "info")

Expectations = str | Mapping[str, Any] | Sequence[Any] | Callable[[], Any]
"""The path of a JSON file, a suite, a list, or a function that returns one of them."""

# COMPLETE lists every unexpected row by its index; the values beside it are cut at 200, and are not used.
_RESULT_FORMAT = {"result_format": "COMPLETE", "return_unexpected_index_query": False}
_MAX_PARAMETER_LENGTH = 120
_MAX_SENTENCE_LENGTH = 400
# What these find and ask for are names of columns, not values.
_OF_NAMES = ("expect_table_columns_to_match_ordered_list", "expect_table_columns_to_match_set")
_COLUMN_PARAMETERS = ("column", "column_A", "column_B", "column_list")


@dataclass(frozen=True)
class Check:
    """The result of one expectation.

    :param expectation: its type, such as ``expect_column_values_to_not_be_null``.
    :param column: the column or columns that it is about, ``None`` for the whole table.
    :param severity: ``critical``, ``warning`` or ``info``.
    :param success: as Great Expectations says, ``mostly`` taken into account.
    :param unexpected_count: rows that broke it; ``None`` when it does not count rows.
    :param unexpected_share: the same as a share of all rows, 0 to 1.
    :param attributable: whether it is known which rows broke it.
    :param sentence: the result for people.
    :param examples: of a failed check, a few of the rows that broke it; see :func:`~stoker.engines.examples.show_examples`.
    :param rows: the positions of the rows that broke it, ascending; empty when they are not known.
    """

    expectation: str
    column: str | None
    severity: str
    success: bool
    unexpected_count: int | None
    unexpected_share: float | None
    attributable: bool
    sentence: str
    examples: list[dict[str, Any]]
    rows: npt.NDArray[np.int64]

    @property
    def label(self) -> str:
        """The expectation and its column, short enough to stand beside a row."""
        return f"{self.expectation}({self.column or ''})"

    def to_record(self) -> dict[str, Any]:
        """The JSON form, without the rows."""
        return {name: value for name, value in vars(self).items() if name != "rows"}


def load_expectations(expectations: Expectations, *, severity: str = "critical") -> list[ExpectationConfiguration]:
    """Read expectations in Great Expectations' own form, and check each of them.

    :param expectations: a list of ``{"type", "kwargs", "severity"}`` mappings or of ``gx.expectations`` objects; a suite with
        such a list under ``expectations``; the path of a JSON file with either; or a function without parameters that
        returns one.
    :param severity: for mappings that give none.
    :raises ConfigurationError: when the file cannot be read, the list is empty, or a type or parameter is unknown or
        missing; all that is wrong is listed at once.
    """
    if severity not in SEVERITIES:
        raise ConfigurationError(f"A severity must be one of {', '.join(SEVERITIES)}; got {severity!r}.")
    given = _called(expectations) if callable(expectations) else expectations
    written = wire.strict_json_file(given, "A file of expectations") if isinstance(given, str) else given
    items = written.get("expectations") if isinstance(written, Mapping) else getattr(written, "expectations", written)
    if not isinstance(items, Sequence) or isinstance(items, str) or not items:
        raise ConfigurationError(
            f"Expectations must be a list with at least one; got {ascii(items)[:80]}. A validation that checks nothing "
            'must not look like one that passed. Write e.g. [{"type": "expect_column_to_exist", "kwargs": {"column": "id"}}].'
        )
    loaded, problems = [], []
    for number, item in enumerate(items):
        try:
            loaded.append(_configuration(item, number, severity))
        except ConfigurationError as error:
            problems.append(f"number {number + 1}: {error.message}")
    if problems:
        raise ConfigurationError(f"Every expectation must be one that Great Expectations knows; {'; '.join(problems)}.")
    return loaded


def check_frame(
    frame: pd.DataFrame, expectations: Sequence[ExpectationConfiguration], *, personal: Collection[str] = ()
) -> list[Check]:
    """Check a frame against expectations, and give the results in their order.

    An expectation that cannot be computed, such as for a column that does not exist, is a failed check of severity ``critical``.

    :param frame: with an index that counts from 0.
    :param expectations: from :func:`load_expectations`. Bounds for times need a zone: ``2013-01-01T00:00:00Z``.
    :param personal: columns whose values must not be shown. A check that mentions one tells how many rows broke it, and nothing of what
        was found or asked for.
    """
    context = _context()
    asset = context.data_sources.add_pandas("memory").add_dataframe_asset("rows")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch(batch_parameters={"dataframe": frame})
    suite = gx.ExpectationSuite(name="checks", expectations=list(expectations))
    log.info("Checking %d rows against %d expectations", len(frame), len(expectations))
    results = {
        result.expectation_config.id: result for result in batch.validate(suite, result_format=_RESULT_FORMAT).results
    }
    checks = [_check(results[item.id], frame, personal) for item in expectations]
    for number, check in enumerate(checks, start=1):
        log.info("Check %d of %d, %s: %s", number, len(checks), "passed" if check.success else "FAILED", check.sentence)
    return checks


def _context() -> Any:
    """A context without progress bars, usage statistics and a folder for reports."""
    config = DataContextConfig(
        progress_bars=ProgressBarsConfig(globally=False),
        analytics_enabled=False,
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
    )
    return gx.get_context(mode="ephemeral", project_config=config)


def _called(function: Callable[[], Any]) -> Any:
    try:
        return function()
    except Exception as error:  # user code
        raise ConfigurationError(
            f"A function of expectations must return them; it raised {type(error).__name__}: {str(error)[:300]}."
        ) from error


def _configuration(item: Any, number: int, severity: str) -> ExpectationConfiguration:
    """One expectation, with its place in the list as its id: results come back in another order."""
    if hasattr(item, "configuration"):
        item = item.configuration.to_json_dict()
    if not isinstance(item, Mapping):
        raise ConfigurationError(f"an expectation must be a JSON object; got {ascii(item)[:80]}")
    known = list_registered_expectation_implementations()
    kind = item.get("type")
    if kind not in known:
        near = get_close_matches(str(kind), known, n=3)
        raise ConfigurationError(
            f"there is no type {ascii(kind)[:80]}" + (f"; near it are {', '.join(near)}" if near else "")
        )
    try:
        configuration = ExpectationConfiguration(**{
            "kwargs": {},
            **item,
            "severity": item.get("severity") or severity,
            "id": str(number),
        })
        configuration.to_domain_obj()  # this is what checks the parameters
    except (GreatExpectationsError, TypeError, ValueError) as error:
        raise ConfigurationError(f"{kind}: {' '.join(str(error).split())[:_MAX_SENTENCE_LENGTH]}") from error
    return configuration


def _check(result: Any, frame: pd.DataFrame, personal: Collection[str]) -> Check:
    config, facts = result.expectation_config, result.result
    problem = _exception(result.exception_info)
    severity = "critical" if problem else str(config.severity.value)
    rows = np.unique(np.asarray(facts.get("unexpected_index_list") or [], dtype=np.int64))
    attributable = "unexpected_index_list" in facts
    count = len(rows) if attributable else None
    share = len(rows) / len(frame) if attributable and len(frame) else None
    columns = _columns(config.kwargs)
    private = config.type not in _OF_NAMES and _mentions(config.kwargs, personal)
    return Check(
        expectation=config.type,
        column=", ".join(columns) or None,
        severity=severity,
        success=bool(result.success),
        unexpected_count=count,
        unexpected_share=share,
        attributable=attributable,
        sentence=_sentence(result, problem, count, frame, private=private),
        examples=[] if result.success else show_examples(frame, rows, columns, personal=personal),
        rows=rows,
    )


def _exception(info: Any) -> str | None:
    """The message of the first exception, whether Great Expectations reports it for the check or for one of its metrics."""
    reports = [info, *info.values()] if isinstance(info, Mapping) else []
    messages = [
        report["exception_message"]
        for report in reports
        if isinstance(report, Mapping) and report.get("raised_exception")
    ]
    return str(messages[0]) if messages else None


def _columns(parameters: Mapping[str, Any]) -> list[str]:
    found: list[str] = []
    for name in _COLUMN_PARAMETERS:
        value = parameters.get(name, [])
        found += [value] if isinstance(value, str) else list(value)
    return found


def _mentions(parameters: Mapping[str, Any], personal: Collection[str]) -> bool:
    """Whether a check is about a personal column, be it in a condition on rows or the text of a query."""
    texts = [str(value) for name, value in parameters.items() if name not in _COLUMN_PARAMETERS]
    return any(
        name in _columns(parameters) or any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) for text in texts)
        for name in personal
    )


def _sentence(result: Any, problem: str | None, count: int | None, frame: pd.DataFrame, *, private: bool) -> str:
    config, facts = result.expectation_config, result.result
    if problem:
        outcome = f"could not be computed: {_missing_columns(config.kwargs, frame) or (MASK if private else problem)}"
    elif count is not None:
        outcome = f"{count} of {len(frame)} rows broke it ({count / max(len(frame), 1):.2%})"
    elif facts.get("observed_value") is not None:
        outcome = f"found {MASK if private else str(facts['observed_value'])[:_MAX_PARAMETER_LENGTH]}"
    else:
        outcome = "holds" if result.success else "does not hold"
    return f"{config.type}({_parameters(config.kwargs, private=private)}): {outcome}"[:_MAX_SENTENCE_LENGTH]


def _parameters(parameters: Mapping[str, Any], *, private: bool) -> str:
    """What was asked for; of a check about a personal column, whose bounds and sets may be values too, only the columns."""
    shown = [
        f"{name}={MASK if private and name not in _COLUMN_PARAMETERS else repr(value)}"
        for name, value in parameters.items()
        if value is not None and name != "batch_id"
    ]
    text = ", ".join(shown)
    return text if len(text) <= _MAX_PARAMETER_LENGTH else f"{text[: _MAX_PARAMETER_LENGTH - 1]}…"


def _missing_columns(parameters: Mapping[str, Any], frame: pd.DataFrame) -> str:
    sentences = []
    for name in _columns(parameters):
        if name not in frame.columns:
            near = get_close_matches(name, list(frame.columns), n=3)
            sentences.append(f"there is no column {name!r}" + (f"; near it are {', '.join(near)}" if near else ""))
    return "; ".join(sentences)
