"""One place maps an error to its exit code."""

from __future__ import annotations

import pytest

from stoker import errors
from stoker.cli.failures import exit_code

EXPECTED = {
    1: [errors.DataValidationFailed, errors.GateFailed, errors.NotApproved, errors.ApprovalRefused,
        errors.VersionBlocked, errors.VersionArchived, errors.ModelError,
        errors.CorruptArtifact, errors.TamperedRecord, errors.UntrustedArtifact, errors.UnknownFormat],
    2: [errors.UsageError, errors.InvalidName, errors.ConfigurationError, errors.NotFound, errors.SourceNotFound,
        errors.UnreadableData, errors.SchemaMismatch, errors.UnsuitableData,
        errors.DataTooLarge],
    3: [errors.AlreadyExists, errors.PromotionConflict],
    4: [errors.StoreUnavailable, errors.StoreNotWritable, errors.CommitStateUnknown],
}  # fmt: skip


@pytest.mark.parametrize(("code", "kind"), [(code, kind) for code, kinds in EXPECTED.items() for kind in kinds])
def test_each_error_has_its_exit_code(code: int, kind: type[errors.StokerError]) -> None:
    assert exit_code(kind("what must hold; what came; what to do")) == code


def test_no_error_was_forgotten() -> None:
    def leaves(kind: type) -> list[type]:
        return [leaf for sub in kind.__subclasses__() for leaf in leaves(sub)] or [kind]

    ours = {leaf for leaf in leaves(errors.StokerError) if leaf.__module__ == errors.__name__}
    assert ours <= {kind for kinds in EXPECTED.values() for kind in kinds}
