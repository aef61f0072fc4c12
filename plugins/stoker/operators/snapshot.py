"""From files that may change to a snapshot that cannot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk.exceptions import AirflowNotFoundException

from stoker.core.records import Reference
from stoker.errors import UsageError
from stoker.operators._base import StokerOperator, engine, task_key

if TYPE_CHECKING:
    from airflow.sdk import Context


class SnapshotDatasetOperator(StokerOperator):
    """Copy a source into an immutable, content-addressed Parquet snapshot.

    The snapshot's ``data_id`` depends on the rows alone: the same rows in another file, format, compression or column
    order give the same id, one changed cell gives another. Taking the same content again changes nothing.

    Fails, without a retry and with nothing written, when the source is missing, empty, truncated or of another
    format, and when its columns differ from the contract; all differences are listed at once. Does not look at
    values: that is :class:`~stoker.operators.validate.ValidateDataOperator`'s work.

    :param source: a path, ``file://`` or ``s3://`` address, a glob of them, or a list; with ``sql_conn_id`` a query.
    :param dataset: the name under which snapshots of this kind of data are kept.
    :param partition: which part of the dataset this is, such as ``2013-03``. Partitions are ordered as text.
    :param time_column: the column that says when a row happened; later steps split by it.
    :param schema: column name to type (``int64``, ``float64``, ``string``, ``bool``, ``timestamp``), or the path of a
        JSON file with it. Default: the columns of the newest earlier partition.
    :param on_schema_change: ``fail``, or ``warn`` to take new columns as they come.
    :param sql_conn_id: the connection for a query.
    :param landed: files as :class:`~stoker.operators.retrain.ClaimRetrainOperator` listed them. They count as taken once the
        snapshot stands, or as refused when they cannot be used: then they are left alone until they change, or this task is
        cleared and succeeds.
    """

    template_fields: Sequence[str] = (
        "source", "dataset", "partition", "time_column", "schema", "sql_conn_id", "landed", *StokerOperator.template_fields,
    )  # fmt: skip
    template_fields_renderers: ClassVar[dict[str, str]] = {"schema": "json", "landed": "json"}

    def __init__(
        self,
        *,
        source: str | Sequence[str],
        dataset: str,
        partition: str | None = None,
        time_column: str | None = None,
        schema: Mapping[str, str] | str | None = None,
        on_schema_change: str = "fail",
        sql_conn_id: str | None = None,
        landed: Sequence[Mapping[str, Any]] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.source = source
        self.dataset = dataset
        self.partition = partition
        self.time_column = time_column
        self.schema = schema
        self.on_schema_change = on_schema_change
        self.sql_conn_id = sql_conn_id
        self.landed = landed

    def step(self, context: Context) -> Reference:
        """Read the source, freeze it, and return a reference of kind ``dataset``."""
        result: Reference = engine("snapshots").snapshot(
            self.hook.get_conn(),
            source=self.source,
            table=self._queried(self.sql_conn_id) if self.sql_conn_id else None,
            dataset=self.dataset,
            partition=self.partition or None,
            time_column=self.time_column,
            schema=self.schema,
            on_schema_change=self.on_schema_change,
            s3_client_factory=self.hook.s3_client,
            landed=self.landed,
            origin=task_key(context),
        )
        return result

    def _queried(self, sql_conn_id: str) -> Any:
        """The rows of the query as a DataFrame, through the connection's own DB-API hook."""
        if not isinstance(self.source, str):
            raise UsageError(f"With sql_conn_id the source must be one query; got {type(self.source).__name__}.")
        try:
            hook = self.hook.get_hook(sql_conn_id)
        except AirflowNotFoundException as error:
            raise UsageError(f"The connection {sql_conn_id!r} must exist; it does not. Create it.") from error
        if not hasattr(hook, "get_df"):
            raise UsageError(f"sql_conn_id must be a connection to a database; {sql_conn_id!r} is none.")
        return hook.get_df(self.source)
