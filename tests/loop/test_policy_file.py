"""Policy files: what is read, and that every fault is named with its place."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields, replace
from datetime import timedelta
from pathlib import Path

import pytest

from stoker.core.cadence import CadencePolicy
from stoker.core.drift import DriftPolicy
from stoker.core.performance import PerformancePolicy
from stoker.core.policies import Bounds, Comparison, GatePolicy
from stoker.core.triage import Action, TriagePolicy
from stoker.errors import ConfigurationError
from stoker.loop.policy_file import MAX_BYTES, LoopPolicy, load_policy, section_from


@pytest.fixture
def write(tmp_path: Path):
    def write_policy(text: str | bytes) -> Path:
        path = tmp_path / "policy.yaml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write_policy


def test_every_field_of_a_gate_is_read(write):
    path = write("""
        gate:
          thresholds: {roc_auc: {min: 0.6}, log_loss: {max: 1}}
          metric: roc_auc
          comparison: non_inferiority
          margin: 0.005
          alpha: 0.1
          n_boot: 500
          min_rows: 300
          max_overlap: 0.01
    """)
    assert load_policy(path) == LoopPolicy(
        GatePolicy(
            thresholds={"roc_auc": Bounds(min=0.6), "log_loss": Bounds(max=1.0)},
            metric="roc_auc",
            comparison=Comparison.NON_INFERIORITY,
            margin=0.005,
            alpha=0.1,
            n_boot=500,
            min_rows=300,
            max_overlap=0.01,
        )
    )


def test_fields_that_are_left_out_have_their_defaults(write):
    assert load_policy(str(write("gate: {}"))).gate == GatePolicy()


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ["must be a mapping of fields to values; got None"]),
        ("- gate", ["must be a mapping of fields to values; got ['gate']"]),
        ("gate:", ["gate must be a mapping of fields to values; got None"]),
        ("gates: {}", ["gates is no known field; gate, cadence", "Did you mean gate?"]),
        ("gate: {metrc: f1}", ["gate.metrc is no known field", "Did you mean metric?"]),
        ("gate: {thresholds: {f1: {mn: 1}}}", ["gate.thresholds.f1.mn", "min, max may stand there"]),
        ("gate: {thresholds: {f1: {}}}", ["gate.thresholds.f1: ", "got neither"]),
        ("gate: {thresholds: {f1: {min: 2, max: 1}}}", ["gate.thresholds.f1: ", "got 2.0 and 1.0"]),
        ("gate: {comparison: better}", ["gate.comparison must be 'superiority' or 'non_inferiority'; got 'better'"]),
        ("gate: {comparison: non_inferiority}", ["gate: ", "needs a margin above 0"]),
        ("gate: {alpha: 0.9}", ["gate: alpha must lie between", "got 0.9"]),
        ("gate: {alpha: .nan}", ["gate: alpha must lie between", "got nan"]),
        ("gate: {margin: yes}", ["gate.margin must be a valid number; got True"]),
        ("gate: {margin: '0.1'}", ["gate.margin must be a valid number; got '0.1'"]),
        ("gate: {min_rows: 2.5}", ["gate.min_rows must be a valid integer", "got 2.5"]),
        ("gate: {metric: 5}", ["gate.metric must be a valid string; got 5"]),
    ],
)
def test_a_wrong_field_is_named_with_what_came_and_what_is_allowed(write, text, parts):
    path = write(text)
    with pytest.raises(ConfigurationError) as caught:
        load_policy(path)
    for part in [str(path), *parts]:
        assert part in str(caught.value)


def test_all_wrong_fields_are_named_at_once(write):
    with pytest.raises(ConfigurationError) as caught:
        load_policy(write("gate: {margin: wide, alpha: narrow}"))
    assert len(caught.value.details["faults"]) == 2


def test_a_message_stays_readable_however_many_fields_are_wrong(write):
    with pytest.raises(ConfigurationError) as caught:
        load_policy(write("gate:\n" + "".join(f"  field{n}: {'x' * 50}\n" for n in range(500))))
    assert len(str(caught.value)) < 4000


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("gate: {alpha: 0.1, alpha: 0.2}", "stand once in its section; got 'alpha'"),
        ("gate: {}\ngate: {}", "stand once in its section; got 'gate'"),
        ("gate: {1: 2}", "a key must be text"),
        ("gate: {[a]: 2}", "a key must be text"),
        ("gate: {<<: {alpha: 0.1}}", "a key must be text"),
        ("a: &a [1]\nb: *a", "an alias stands in it"),
        ("gate: [", "line 1"),
        ("gate: {}\n---\ngate: {}", "single document"),
        ("gate: !!python/object/apply:os.getcwd []", "could not determine a constructor"),
        ("gate: {metric: 2013-99-99}", "month must be in 1..12"),
        ("[" * 60_000, "recursion"),
        ("gate: " + "[" * 250 + "]" * 250, "recursion"),
        (r'gate: {metric: "\ud800"}', "must be plain values"),
        (b"\xff\xfe\xff", "policy.yaml"),
        ("gate: \0", "unacceptable character"),
        ("#" * (MAX_BYTES + 1), f"at most {MAX_BYTES} bytes"),
    ],
)
def test_a_file_that_is_no_plain_yaml_is_refused(write, text, part):
    with pytest.raises(ConfigurationError, match=r"policy\.yaml: ") as caught:
        load_policy(write(text))
    assert part in str(caught.value)


@pytest.mark.parametrize("name", ["missing.yaml", ".", "zero\0byte"])
def test_a_file_that_cannot_be_read_is_a_configuration_error(tmp_path, name):
    with pytest.raises(ConfigurationError, match="must be readable"):
        load_policy(f"{tmp_path}/{name}")


def test_rendered_arguments_may_hold_numbers_as_text():
    assert section_from("gate", {"margin": "0.01", "min_rows": "50"}, "arguments") == GatePolicy(
        margin=0.01, min_rows=50
    )


def test_wrong_arguments_are_refused_by_the_name_of_their_source():
    with pytest.raises(
        ConfigurationError, match=r"the arguments: gate\.margn is no known field.*Did you mean margin\?"
    ):
        section_from("gate", {"margn": 0.01}, "the arguments")


def test_nothing_is_imported_that_a_dag_file_has_not_imported_already():
    code = (
        "import airflow.sdk, sys\n"
        "before = {name.partition('.')[0] for name in sys.modules}\n"
        "import stoker.loop.policy_file\n"
        "after = {name.partition('.')[0] for name in sys.modules}\n"
        "print(sorted(after - before - {'stoker'} - set(sys.stdlib_module_names)))\n"
    )
    added = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert added.strip() == "[]"


def test_every_section_is_read(write):
    path = write("""
        cadence:
          retrain_on: [new_data, hand]
          cooldown: 6h
          budget_per_day: 2
          lease: 1h30m
          max_ineffective: 5
          retry_after: 2d
          max_age: 30d
        drift:
          windows: 3
          cooldown: 12h
          correction: holm
          per_column_threshold: {delay: 0.2}
        performance:
          metric: roc_auc
          thresholds: {roc_auc: {min: 0.6}}
          label_delay: 7d
          min_coverage: 0.5
        triage: {covariate: retrain, rollback_within: 0}
    """)
    policy = load_policy(path)
    assert policy.gate == GatePolicy()
    assert policy.cadence == CadencePolicy(
        retrain_on=("new_data", "hand"),
        cooldown=timedelta(hours=6),
        budget_per_day=2,
        lease=timedelta(minutes=90),
        max_ineffective=5,
        retry_after=timedelta(days=2),
        max_age=timedelta(days=30),
    )
    drift = policy.drift
    assert (drift.windows, drift.cooldown, drift.correction) == (3, timedelta(hours=12), "holm")
    assert drift.per_column_threshold == {"delay": 0.2}
    performance = policy.performance
    assert (performance.thresholds, performance.label_delay) == ({"roc_auc": Bounds(min=0.6)}, timedelta(days=7))
    assert policy.triage == TriagePolicy(covariate=Action.RETRAIN, rollback_within=0)


def test_sections_that_are_left_out_have_their_defaults(write):
    assert load_policy(write("{}")) == LoopPolicy(
        GatePolicy(), CadencePolicy(), DriftPolicy(), PerformancePolicy(), TriagePolicy()
    )


@pytest.mark.parametrize("section", [item.name for item in fields(LoopPolicy)])
def test_the_defaults_of_every_section_can_be_given_in_code(section):
    policy = getattr(LoopPolicy(), section)
    given = {item.name: getattr(policy, item.name) for item in fields(policy)}
    assert section_from(section, given, "the arguments") == policy


def test_fields_of_any_section_may_be_texts_in_code():
    given = {"retrain_on": ["hand"], "budget_per_day": "3", "cooldown": "2h", "lease": timedelta(hours=1)}
    expected = replace(CadencePolicy(), retrain_on=("hand",), budget_per_day=3, cooldown=timedelta(hours=2))
    assert section_from("cadence", given, "the arguments") == replace(expected, lease=timedelta(hours=1))
    with pytest.raises(ConfigurationError, match=r"^the arguments: cadence.cooldown must be a duration"):
        section_from("cadence", {"cooldown": 2}, "the arguments")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("cadence: {cooldown: 6}", ["cadence.cooldown must be a duration such as 30m, 6h", "got 6"]),
        ("cadence: {cooldown: PT6H}", ["cadence.cooldown must be a duration", "got 'PT6H'"]),
        ("cadence: {cooldown: [6h]}", ["cadence.cooldown must be a duration", "got ['6h']"]),
        ("cadence: {cooldown: }", ["cadence.cooldown must be a valid duration; got None"]),
        ("cadence: {retrain_on: [moon]}", ["cadence: retrain_on must name some of", "got moon"]),
        ("cadence: {retrain_on: hand}", ["cadence.retrain_on must be a valid array; got 'hand'"]),
        ("cadence: {cool_down: 6h}", ["cadence.cool_down is no known field", "Did you mean cooldown?"]),
        ("cadence: 6h", ["cadence must be a mapping of fields to values; got '6h'"]),
        ("triage: {data_quality: retrain}", ["triage: data_quality must lead to one of stop, investigate, none"]),
        ("triage: {label: panic}", ["triage.label must be 'stop', 'investigate', 'retrain', 'rollback' or 'none'"]),
        ("drift: {alpha: '0.1'}", ["drift.alpha must be a valid number"]),
        ("drift: {windows: 2, min_violations: 3}", ["drift: min_violations must lie between 1 and 2; got 3"]),
        ("performance: {thresholds: {f1: {mn: 1}}}", ["performance.thresholds.f1.mn", "min, max may stand there"]),
        ("performance: {min_coverage: 2}", ["performance: min_coverage must lie between"]),
    ],
)
def test_a_wrong_field_of_any_section_is_named(write, text, parts):
    with pytest.raises(ConfigurationError) as caught:
        load_policy(write(text))
    for part in ["policy.yaml", *parts]:
        assert part in str(caught.value)
