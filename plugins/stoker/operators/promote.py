"""Moving an alias forward, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from stoker.core.names import parse_version
from stoker.core.records import Reference
from stoker.errors import UsageError
from stoker.operators._base import StokerOperator, actor_of, engine, task_key

if TYPE_CHECKING:
    from airflow.sdk import Context

    from stoker.registry.registry import AliasMove, Registry
    from stoker.registry.versions import Version

AS_EVALUATED = "as_evaluated"


class PromoteModelOperator(StokerOperator):
    """Point an alias at a version, provided that it still points where it is expected to.

    One atomic write. When somebody else moved the alias in between, the task fails with what it points at now and
    nothing changes. A version whose gate did not pass, that was rolled back before, or whose files are damaged, is
    refused. In a backfill the alias stays where it is, unless ``allow_backfill``.

    :param name: the registered model.
    :param version: what a register task returned, or a version number.
    :param alias: ``champion`` by default. When it moves, ``previous`` follows with the version that it left.
    :param expected_version: the version that the alias must point at; ``None``: it must not exist yet; ``"any"``:
        whatever it is; default ``"as_evaluated"``: the version that the candidate was compared with.
    :param require_verdict: refuse a version whose evaluation did not pass.
    :param require_approval: refuse a version that no person has approved as it is; see
        :class:`~stoker.operators.approve.ApproveModelOperator`. Default: if anybody was asked about it.
    :param allow_backfill: move the alias in a backfill run as well.
    :param reason: why, for the audit log.
    """

    template_fields: Sequence[str] = (
        "name", "version", "alias", "expected_version", "reason", *StokerOperator.template_fields,
    )  # fmt: skip

    def __init__(
        self,
        *,
        name: str,
        version: Any,
        alias: str = "champion",
        expected_version: int | str | None = AS_EVALUATED,
        require_verdict: bool = True,
        require_approval: bool | None = None,
        allow_backfill: bool = False,
        reason: str = "passed its gate in {{ dag.dag_id }}",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.version = version
        self.alias = alias
        self.expected_version = expected_version
        self.require_verdict = require_verdict
        self.require_approval = require_approval
        self.allow_backfill = allow_backfill
        self.reason = reason

    def step(self, context: Context) -> Reference:
        """Move the alias, and return a reference of kind ``alias``."""
        if context["dag_run"].run_type == "backfill" and not self.allow_backfill:
            raise AirflowSkipException(
                f"A backfill does not move {self.name}@{self.alias}; pass allow_backfill=True to let it."
            )
        from stoker.registry.changes import parse_expected

        registry = self.hook.registry
        version = version_of(registry, self.name, self.version)
        version.require_files()
        engine("candidates").verify_files(self.hook.get_conn(), version.manifest)
        expected = self.expected_version
        move = registry.promote(
            self.name,
            version.number,
            alias=self.alias,
            expected_version=_as_evaluated(version) if expected == AS_EVALUATED else parse_expected(expected),
            require_verdict=self.require_verdict,
            require_approval=self.require_approval,
            actor=actor_of(context),
            reason=self.reason,
            idempotency_key=f"{task_key(context)}/{self.alias}/{version.number}",
        )
        return _reference(self.hook.registry, self.name, move)


class RollbackModelOperator(StokerOperator):
    """Point an alias back at an earlier version, and block the bad one.

    One atomic write. The blocked version stays blocked: a loop that trains the very same model again cannot promote
    it. The version to go back to is loaded in a clean process first. Trains nothing.

    :param name: the registered model.
    :param version: the version to go back to. Default: the newest earlier one that is not blocked.
    :param alias: ``champion`` by default.
    :param expected_version: the bad version that the alias must point at; default ``"any"``: whatever it is.
    :param reason: why, for the audit log; required.
    """

    template_fields: Sequence[str] = (
        "name", "version", "alias", "expected_version", "reason", *StokerOperator.template_fields,
    )  # fmt: skip

    def __init__(
        self,
        *,
        name: str,
        reason: str,
        version: Any = None,
        alias: str = "champion",
        expected_version: int | str | None = "any",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.reason = reason
        self.version = version
        self.alias = alias
        self.expected_version = expected_version

    def step(self, context: Context) -> Reference:
        """Move the alias back, and return a reference of kind ``alias``."""
        from stoker.registry.changes import parse_expected

        store, trusted = self.hook.get_conn(), self.hook.settings.trusted_types
        move = self.hook.registry.rollback(
            self.name,
            alias=self.alias,
            to=None if self.version in (None, "") else version_of(self.hook.registry, self.name, self.version).number,
            expected_version=parse_expected(self.expected_version),
            actor=actor_of(context),
            reason=self.reason,
            idempotency_key=task_key(context),
            verify=lambda version: engine("registration").verify_loads(store, version, trusted=trusted),
        )
        return _reference(self.hook.registry, self.name, move)


def version_of(registry: Registry, name: str, value: Any) -> Version:
    """The version that a number or a reference names. A reference must be of this very model and content."""
    if isinstance(value, str | int):
        return registry.version(name, parse_version(value))
    reference = Reference.from_xcom(value, "version")
    of = reference.summary.get("name")
    if of != name:
        raise UsageError(
            f"A version of model {name!r} is needed here; got one of {ascii(of)[:80]}. Pass its own version."
        )
    version = registry.version(name, parse_version(reference.summary.get("version", "")))
    if version.digest != reference.digest:
        raise UsageError(
            f"The reference must be of version {version.number} of {name!r} as it lies in {registry.store.uri}, "
            f"{version.digest[:12]}; it is of {reference.digest[:12]}. Register and promote in one store."
        )
    return version


def _as_evaluated(version: Version) -> Any:
    """The opponent of the version's evaluation; without an evaluation there was none to expect."""
    from stoker.registry.changes import ANY

    evaluation = version.manifest.get("evaluation")
    return evaluation["baseline_version"] if evaluation else ANY


def _reference(registry: Registry, name: str, move: AliasMove) -> Reference:
    """The log entry that put the alias where it is."""
    entry = next(iter(registry.history(name, after=move.seq - 1, limit=1)))
    was = f"was version {move.previous}" if move.previous else "was unset"
    return Reference(
        kind="alias",
        uri=f"{registry.store.uri}/{entry.key}",
        digest=entry.digest,
        verdict="pass",
        summary={
            "name": name,
            "alias": move.alias,
            "version": move.version,
            "previous": move.previous,
            "changed": move.changed,
            "reasons": [f"{name}@{move.alias} is version {move.version}; it {was}."],
        },
    )
