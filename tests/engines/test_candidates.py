from __future__ import annotations

import pytest
from tests.support.models import boosting, fit, flights, put

from stoker.engines import candidates
from stoker.errors import AlreadyExists, StoreUnavailable
from stoker.store.documents import get_document, put_document
from stoker.store.memory import MemoryStore


@pytest.fixture
def store():
    return MemoryStore()


@pytest.fixture
def trained(store):
    """A candidate that was trained, and remembered by nobody."""
    digest = fit(store, put(store, flights()), boosting, cache="off").digest
    return digest, get_document(store, digest)


def _other(store, document):
    changed = {**document, "random_state": 99}
    return put_document(store, changed), changed


def test_an_unknown_fingerprint_has_no_candidate(store):
    assert candidates.newest(store, "0" * 64) is None


def test_the_highest_number_counts(store, trained):
    digest, document = trained
    candidates.remember(store, digest, document, keep_first=True)
    second, changed = _other(store, document)
    assert candidates.remember(store, second, changed, keep_first=False)[0] == second
    assert candidates.newest(store, document["fingerprint"])[0] == second


def test_who_trains_the_same_at_the_same_time_goes_on_with_the_first(store, trained):
    digest, document = trained
    candidates.remember(store, digest, document, keep_first=True)
    second, changed = _other(store, document)
    assert candidates.remember(store, second, changed, keep_first=True)[0] == digest
    assert len(list(store.keys("training/"))) == 1


@pytest.mark.parametrize("lost", ["candidate", "holdout", "rows", "model", "profile", "cells"])
def test_a_candidate_with_a_lost_part_does_not_count(store, trained, lost):
    digest, document = trained
    candidates.remember(store, digest, document, keep_first=True)
    gone = {
        "candidate": digest,
        "holdout": document["holdout"],
        "rows": get_document(store, document["holdout"])["file"]["sha256"],
        "model": document["files"]["model.skops"]["sha256"],
        "profile": document["profile"],
        "cells": get_document(store, document["profile"])["file"]["sha256"],
    }[lost]
    store.delete_swept(f"blobs/{gone[:2]}/{gone}")
    assert candidates.newest(store, document["fingerprint"]) is None


def test_a_candidate_of_before_there_were_profiles_is_trained_again(store, trained):
    _, document = trained
    old = {name: value for name, value in document.items() if name != "profile"}
    candidates.remember(store, put_document(store, old), old, keep_first=False)
    assert candidates.newest(store, document["fingerprint"]) is None


def test_losing_every_race_is_a_transport_error(store, trained, monkeypatch):
    def lose(key: str, data: bytes) -> None:
        raise AlreadyExists("Somebody was faster.")

    monkeypatch.setattr(store, "create", lose)
    with pytest.raises(StoreUnavailable, match="Try again later"):
        candidates.remember(store, *trained, keep_first=False)


def test_the_task_that_trained_a_candidate_is_found_where_it_was_noted(store, trained):
    digest, document = trained
    fingerprint = document["fingerprint"]
    assert candidates.origin_of(store, fingerprint, digest) is None
    candidates.remember(store, digest, document, keep_first=True, origin="dag/run/train/-1")
    second, changed = _other(store, document)
    candidates.remember(store, second, changed, keep_first=False)
    assert candidates.origin_of(store, fingerprint, digest) == "dag/run/train/-1"
    assert candidates.origin_of(store, fingerprint, second) is None
    assert candidates.origin_of(store, fingerprint, digest, tries=1) is None
