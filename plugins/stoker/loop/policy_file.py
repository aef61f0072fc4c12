"""Policy files: what people write in YAML about how a model is judged, read strictly.

A file holds a section for each part of the loop that has a policy. What is left out has its default::

    gate:                                # what a candidate must show
      metric: roc_auc
      thresholds:
        roc_auc: {min: 0.6}
    cadence:                             # how often a training may begin, and because of what
      retrain_on: [new_data, performance, hand]
      cooldown: 6h
    drift: {windows: 5, min_violations: 2}
    performance: {min_coverage: 0.8, label_delay: 7d}
    triage: {covariate: retrain}         # what to do about what was found
    retention: {newest_versions: 20}     # what a sweep keeps; read by ``stoker retention`` alone

A policy decides what goes into production, so nothing in it is guessed: a misspelt key, a key given twice, or a number
in quotes is refused, never ignored or repaired.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

# Neither is paid at DAG parse: airflow.sdk has imported both already.
import yaml
from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

from stoker.core.cadence import CadencePolicy
from stoker.core.drift import DriftPolicy
from stoker.core.durations import parse_duration
from stoker.core.performance import PerformancePolicy
from stoker.core.policies import Bounds, GatePolicy
from stoker.core.retention import RetentionPolicy
from stoker.core.triage import TriagePolicy
from stoker.errors import ConfigurationError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

MAX_BYTES = 64 * 1024
MAX_FAULTS = 10
"""More are not named: whoever has mended ten of them runs the check again."""


@with_config(ConfigDict(extra="forbid", defer_build=True))
@dataclass(frozen=True)
class LoopPolicy:
    """Everything that one policy file says.

    :param gate: what a candidate must show before it may be promoted.
    :param cadence: when a training may begin.
    :param drift: when data has drifted, and when that is an alarm.
    :param performance: when a model in office has lost quality.
    :param triage: what to do about either.
    :param retention: what a sweep of the store keeps.
    """

    gate: GatePolicy = field(default_factory=GatePolicy)
    cadence: CadencePolicy = field(default_factory=CadencePolicy)
    drift: DriftPolicy = field(default_factory=DriftPolicy)
    performance: PerformancePolicy = field(default_factory=PerformancePolicy)
    triage: TriagePolicy = field(default_factory=TriagePolicy)
    retention: RetentionPolicy = field(default_factory=RetentionPolicy)


_SECTIONS: dict[str, Any] = {
    "gate": GatePolicy,
    "cadence": CadencePolicy,
    "drift": DriftPolicy,
    "performance": PerformancePolicy,
    "triage": TriagePolicy,
    "retention": RetentionPolicy,
}


def load_policy(path: str | Path) -> LoopPolicy:
    """Read a policy file.

    :param path: a YAML file of at most :data:`MAX_BYTES` bytes: one document, without anchors and aliases.
    :raises ConfigurationError: when the file cannot be read, is not such YAML, or breaks a rule of a policy. The message
        names the file and, for each fault, the field, what came and what is allowed.
    """
    data = _with_durations(_read_yaml(Path(path)), str(path))
    # JSON's types are YAML's, and in this mode alone pydantic takes words for enums but not 'yes' or '0.5' for a number.
    return _checked(lambda policy: policy.validate_json(json.dumps(data, default=str), strict=True), str(path))


def section_from(section: str, given: Mapping[str, Any], source: str) -> Any:
    """Check the fields of one section that were given in code, such as the arguments of an operator.

    :param section: ``gate``, ``cadence``, ``drift``, ``performance``, ``triage`` or ``retention``.
    :param given: field name to value. Numbers may be text, since Airflow's templates render to text.
    :param source: where they were given, for the error message.
    :returns: the policy of that section.
    :raises ConfigurationError: as :func:`load_policy`.
    """
    data = _with_durations({section: dict(given)}, source)
    return getattr(_checked(lambda policy: policy.validate_python(data), source), section)


def _with_durations(data: Any, source: str) -> Any:
    """The sections with durations in the form that pydantic reads; it would take a bare number for seconds."""
    if not isinstance(data, dict):
        return data
    return {
        name: _section_with_durations(name, given, source) if name in _SECTIONS and isinstance(given, dict) else given
        for name, given in data.items()
    }


def _section_with_durations(section: str, given: dict[str, Any], source: str) -> dict[str, Any]:
    names = {item.name for item in fields(_SECTIONS[section]) if "timedelta" in str(item.type)}
    converted = {}
    for name, value in given.items():
        if name in names and value is not None:
            try:
                converted[name] = f"PT{parse_duration(value, f'{section}.{name}').total_seconds():.0f}S"
            except ConfigurationError as error:
                raise ConfigurationError(f"{source}: {error.message}") from error
    return {**given, **converted}


def _read_yaml(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
        raise ConfigurationError(f"{path}: a policy file must be readable; {error}. Check the path.") from error
    if len(content) > MAX_BYTES:
        raise ConfigurationError(f"{path}: a policy file must have at most {MAX_BYTES} bytes; it has more.")
    try:
        loader = _Loader(content)
        return loader.get_single_data()
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: a date such as 2013-99-99
        problem = " ".join(str(error).split())
        raise ConfigurationError(f"{path}: a policy file must be one plain YAML document; {problem}.") from error


class _Loader(yaml.SafeLoader):
    """The safe loader, but without what a policy never needs and a reader would not notice."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuse aliases: nested ones make gigabytes of a small file."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.composer.ComposerError(None, None, "an alias stands in it", self.peek_event().start_mark)  # type: ignore[no-untyped-call]  # PyYAML's stubs
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Refuse keys that are no text, or stand there twice: YAML itself lets the last one win."""
        seen: set[str] = set()
        for key, _ in node.value:
            if key.tag != "tag:yaml.org,2002:str" or key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None,
                    None,
                    f"a key must be text and stand once in its section; got {key.value!r:.80}",
                    key.start_mark,
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _checked(read: Callable[[TypeAdapter[LoopPolicy]], LoopPolicy], source: str) -> LoopPolicy:
    try:
        return read(TypeAdapter(LoopPolicy))
    except ValidationError as error:
        faults = [_sentence(fault) for fault in error.errors(include_url=False)[:MAX_FAULTS]]
        raise ConfigurationError(f"{source}: {' '.join(faults)}", faults=faults) from error


def _sentence(fault: ErrorDetails) -> str:
    """One fault: the field, what is allowed there, what came."""
    place = ".".join(map(str, fault["loc"]))
    if fault["type"] == "unexpected_keyword_argument":
        return _unknown(place, fault["loc"])
    if fault["type"] == "value_error":
        return f"{place}: {fault['ctx']['error'].message}"
    if fault["type"] == "json_invalid":  # nested too deeply, or half of a surrogate pair
        return f"The whole must be plain values; {fault['ctx']['error']}."
    if fault["type"] == "missing":
        return f"{place} must be given; it is missing."
    wanted = fault["msg"].removeprefix("Input should ").replace("be an object", "be a mapping of fields to values")
    return f"{place or 'The whole'} must {wanted}; got {fault['input']!r:.80}."


def _unknown(place: str, loc: tuple[int | str, ...]) -> str:
    owner: Any = LoopPolicy if len(loc) == 1 else _SECTIONS[str(loc[0])] if len(loc) == 2 else Bounds
    allowed = [item.name for item in fields(owner)]
    near = get_close_matches(str(loc[-1]), allowed, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    return f"{place} is no known field; {', '.join(allowed)} may stand there.{hint}"
