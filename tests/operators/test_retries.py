"""Whatever happens at a write, the next try of the same task ends as if nothing had happened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from stoker.errors import TransportError
from tests.operators.conftest import Lived, Loop, faulty
from tests.support.faulty_store import Fault, Killed
from tests.support.models import tree

STEPS: dict[str, Callable[[Loop, Lived], dict[str, Any]]] = {
    "snapshot": lambda it, _: it.snapshot("2013-03"),
    "validate": lambda it, was: it.validate(was.january["data"], max_quarantine_share=0.2),
    "train": lambda it, was: it.train(was.january["good"], estimator=tree, features=["wind"], random_state=1),
    "register": lambda it, was: it.register(was.february["model"], evaluation=was.february["judged"], name="fresh"),
    "promote": lambda it, was: it.promote(was.february["version"]),
}


@pytest.mark.parametrize("fault", [Fault.BEFORE, Fault.AFTER, Fault.KILL_BEFORE, Fault.KILL_AFTER])
@pytest.mark.parametrize("step", STEPS)
def test_a_fault_at_any_write_is_made_good_by_the_retry(
    fresh: Callable[[], Loop], lived: Lived, step: str, fault: Fault
) -> None:
    run, undisturbed = STEPS[step], fresh()
    with faulty({}) as stores:
        wanted = run(undisturbed, lived)
    assert stores[0].writes
    for write in range(1, stores[0].writes + 1):
        loop = fresh()
        with faulty({write: fault}):
            try:
                run(loop, lived)
            except (TransportError, Killed):
                assert loop.torn() == []
        again = run(loop, lived)
        assert (again["kind"], again["verdict"]) == (wanted["kind"], wanted["verdict"])
        assert loop.pointers().keys() == undisturbed.pointers().keys()
        assert loop.torn() == []


def test_a_whole_run_that_is_cleared_repeats_itself(old: Loop, lived: Lived) -> None:
    old.run_id = "scheduled__2013-02"
    old.promote(lived.february["version"])
    before = old.pointers()
    model = old.train(old.validate(old.snapshot("2013-02")))
    version = old.register(model, evaluation=old.evaluate(model))
    moved = old.promote(version)
    assert old.pointers() == before
    assert (version["digest"], moved["summary"]["version"]) == (lived.february["version"]["digest"], 2)
