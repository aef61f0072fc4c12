"""What the operators of a loop share: the policy file, the broker, and the references of tasks that may not have run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from stoker.core.names import check_name
from stoker.core.records import Reference
from stoker.store import layout
from stoker.store.base import ObjectStore
from stoker.store.documents import put_document

if TYPE_CHECKING:
    from airflow.sdk import Context

    from stoker.loop.broker import Broker
    from stoker.loop.policy_file import LoopPolicy

_MAX_REASON = 500


def loop_policy(path: str | None) -> LoopPolicy:
    """What a policy file says; the defaults without one."""
    from stoker.loop.policy_file import LoopPolicy, load_policy

    return load_policy(path) if path else LoopPolicy()


def section_with(section: str, path: str | None, given: Mapping[str, Any]) -> Any:
    """A section of a policy file with an operator's own arguments over it, as the policy that both make together.

    :param given: field name to value; ``None`` leaves the field to the file.
    :raises ConfigurationError: when the fields break a rule; together, for one given here may need one of the file.
    """
    from stoker.loop.policy_file import section_from

    base = getattr(loop_policy(path), section)
    own = {name: value for name, value in given.items() if value is not None}
    return section_from(section, {**asdict(base), **own}, "the policy with the operator's arguments") if own else base


def broker_of(store: ObjectStore, name: str, policy: LoopPolicy) -> Broker:
    """The broker of a model under the cadence of a policy."""
    from stoker.loop.broker import Broker

    return Broker(store, check_name(name, "model"), policy=policy.cadence)


def holder_of(context: Context) -> str:
    """The run as the holder of a lease: the same for all its tasks and their tries."""
    ti = context["ti"]
    return f"{ti.dag_id}/{ti.run_id}"


def is_backfill(context: Context) -> bool:
    """Whether the run belongs to a backfill."""
    return context["dag_run"].run_type == "backfill"


def references(value: Any, *kinds: str) -> list[Reference]:
    """What earlier tasks returned: none, one, or the many of a mapped task.

    :param kinds: the kinds that may be among them.
    :raises UsageError: when one is of another kind, or no reference.
    """
    if value is None or value == "":
        return []
    several = [value] if isinstance(value, Mapping | str) else list(value)
    return [Reference.from_xcom(one, *kinds) for one in several if one is not None]


def written(store: ObjectStore, document: dict[str, Any], verdict: str, summary: dict[str, Any]) -> Reference:
    """Store what a task did, and refer to it. The same content again writes nothing."""
    digest = put_document(store, document)
    shown = {**summary, "reasons": [reason[:_MAX_REASON] for reason in summary["reasons"][:5]]}
    return Reference(document["kind"], f"{store.uri}/{layout.blob(digest)}", digest, verdict, shown)
