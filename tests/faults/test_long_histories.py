"""The registry against a small model at full length, in memory and on local files, with lost replies, crashes and a clock that jumps."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.registry.test_model_based import LocalRegistryMachine, RegistryMachine


@pytest.mark.fault
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("machine", [RegistryMachine, LocalRegistryMachine])
def test_1_000_long_histories(machine: type[RegistryMachine], capsys: pytest.CaptureFixture[str]) -> None:
    """A failure prints the history, and how to replay it."""
    runs, steps = 1_000, 50
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=runs,
            stateful_step_count=steps,
            deadline=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
    with capsys.disabled():
        print(f"\n{runs:,} histories of {steps} steps ({machine.__name__}): equal to the model")
