"""The one door to everything that pages and the JSON API show."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from stoker.core.clock import Clock, system_clock
from stoker.errors import StokerError, TamperedRecord
from stoker.registry.registry import Registry
from stoker.ui.views import (
    champions,
    comparison,
    documents,
    drift_map,
    history,
    lineage,
    models,
    quality,
    versions,
)
from stoker.ui.views.overview import Models
from stoker.ui.views.reading import DAMAGE, Reading
from stoker.ui.views.records import (
    Attention,
    ChampionHistory,
    ComparisonView,
    DocumentView,
    DriftMap,
    HistoryPage,
    LineageView,
    ModelView,
    Overview,
    QualityView,
    VersionsPage,
    VersionView,
    WhyView,
)

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")


def _of_model(look: Callable[Concatenate[Views, str, P], T]) -> Callable[Concatenate[Views, str, P], T]:
    """Tell of records that lack what every record has as of any other damage."""

    @wraps(look)
    def told(self: Views, name: str, /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return look(self, name, *args, **kwargs)
        except StokerError:
            raise
        except DAMAGE as error:
            log.exception("The records of a model could not be read.")
            raise TamperedRecord(models.damage(name, error)) from error

    return told


class Views:
    """What there is to see of a registry, as plain records. Nothing is ever written.

    Every method reads a bounded number of objects, however many versions, entries and partitions a model has, and raises
    :class:`~stoker.errors.NotFound` for a model or version that is not there. What was read is remembered as far as it cannot change,
    so that a second look costs one probe for each log and journal. Threads may share one object.

    :param registry: kept; one object of this class belongs to it.
    :param clock: the time by which leases and reviews have run out.
    """

    def __init__(self, registry: Registry, *, clock: Clock = system_clock) -> None:
        self._reading = Reading(registry, clock)
        self._models = Models(self._reading)

    def overview(self, *, search: str = "", state: str | None = None, after: str = "", limit: int = 25) -> Overview:
        """A page of models by name; see :meth:`.Models.overview`."""
        return self._models.overview(search=search, state=state, after=after, limit=limit)

    def attention(self, *, limit: int = 20) -> Attention:
        """Models that need a person; see :meth:`.Models.attention`."""
        return self._models.attention(limit=limit)

    @_of_model
    def model(self, name: str) -> ModelView:
        """A model as a whole."""
        return models.model_view(self._reading, name)

    @_of_model
    def versions(self, name: str, *, before: int | None = None, limit: int = 50) -> VersionsPage:
        """Versions, newest first, from the one before ``before``."""
        return versions.versions_page(self._reading, name, before=before, limit=limit)

    @_of_model
    def version(self, name: str, number: int) -> VersionView:
        """Everything of one version."""
        return versions.version_view(self._reading, name, number)

    @_of_model
    def compare(self, name: str, left: int, right: int) -> ComparisonView:
        """Two versions side by side."""
        return comparison.comparison_view(self._reading, name, left, right)

    @_of_model
    def quality(self, name: str, *, versions: int = 60, windows: int = 60) -> QualityView:
        """Quality over the last versions, and over the last monitored windows."""
        return quality.quality_view(self._reading, name, versions=versions, windows=windows)

    @_of_model
    def champions(self, name: str, *, limit: int = 50) -> ChampionHistory:
        """Who was in office when, newest first."""
        return champions.champion_history(self._reading, name, limit=limit)

    @_of_model
    def lineage(self, name: str, number: int | None = None) -> LineageView:
        """From data to predictions: of a version, by default the champion."""
        return lineage.lineage_view(self._reading, name, number)

    @_of_model
    def drift(self, name: str, *, windows: int = 30) -> DriftMap:
        """Which columns drifted in which of the last windows."""
        return drift_map.drift_map(self._reading, name, windows=windows)

    @_of_model
    def history(self, name: str, *, before: int | None = None, limit: int = 50) -> HistoryPage:
        """The audit log, newest first, from the entry before ``before``."""
        return history.history_page(self._reading, name, before=before, limit=limit)

    @_of_model
    def why(self, name: str, *, limit: int = 20) -> WhyView:
        """What the loop did and waits for."""
        return models.why_view(self._reading, name, limit=limit)

    def document(self, digest: str) -> DocumentView:
        """A stored document."""
        return documents.document_view(self._reading, digest)

    def evidently(self, digest: str) -> bytes:
        """The HTML that Evidently wrote about a document. It is hostile: serve it in a sandbox alone."""
        return documents.read_evidently(self._reading, digest)
