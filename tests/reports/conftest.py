from __future__ import annotations

import pytest
from tests.support.reported import make_documents

from stoker.core.verdicts import Outcome, Verdict
from stoker.engines import evaluation
from stoker.store.base import ObjectStore
from stoker.store.memory import MemoryStore

Made = tuple[ObjectStore, dict[str, str]]


@pytest.fixture(scope="session")
def made() -> Made:
    """A store with a document of every kind, and their digests by a word for each. The clean process is left to its own tests."""
    store = MemoryStore()
    passed = Verdict(Outcome.PASS, ("It loads.",), {"smoke": "pass"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation, "smoke_test", lambda *_, **__: passed)
        return store, make_documents(store)
