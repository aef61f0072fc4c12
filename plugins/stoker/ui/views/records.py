"""What pages and the JSON API show, as plain values. Times carry their zone; names and texts are data, never markup."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from stoker.ui.views.places import Where


@dataclass(frozen=True)
class ChampionBrief:
    """The version in office, and how good it is as far as is known now.

    :param registered: when the version was registered.
    :param since: when it took office.
    :param metric: the metric that its evaluation was decided by.
    :param value: the metric in office where labels have come, else at its evaluation; ``measured`` tells which.
    :param low: lower end of the interval of the value; known in office only.
    :param high: upper end.
    :param measured: ``window`` or ``evaluation``.
    :param window: the window that was measured in office.
    :param outcome: the verdict of its evaluation.
    :param reason: the first reason of that verdict.
    :param evaluation: the digest of the evaluation document.
    """

    version: int
    registered: datetime
    since: datetime
    metric: str | None
    value: float | None
    low: float | None
    high: float | None
    measured: str
    window: str | None
    outcome: str
    reason: str
    evaluation: str | None


@dataclass(frozen=True)
class DriftBrief:
    """The last window that was compared with what a version was trained on.

    :param verdict: ``fail`` while an incident is open.
    :param alert: whether this window raised an alert.
    :param open: the kinds whose incident is open: ``covariate``, ``data_quality`` …
    :param end: when the window ends; ``None`` when its rows carry no time.
    """

    window: str
    version: int
    verdict: str
    alert: bool
    open: list[str]
    end: datetime | None
    document: str | None


@dataclass(frozen=True)
class PerformanceBrief:
    """The last window that was judged on labels that had come by then.

    :param baseline: the metric at the version's own evaluation.
    :param coverage: the share of predicted rows that had labels.
    """

    window: str
    version: int
    verdict: str
    metric: str | None
    value: float | None
    low: float | None
    high: float | None
    baseline: float | None
    coverage: float | None
    end: datetime | None
    document: str | None


@dataclass(frozen=True)
class WakeUpBrief:
    """The last thing that the loop decided.

    :param result: ``promoted``, ``proposed``, ``kept``, ``failed``, ``stopped``, ``skipped``, ``training``, ``lost``, ``resumed``, or
        what a triage said.
    """

    time: datetime
    result: str
    condition: str
    reason: str
    version: int | None
    where: Where | None


@dataclass(frozen=True)
class ReviewBrief:
    """A version that a person was asked to approve.

    :param status: ``waiting``, ``approved``, ``rejected``, or ``void`` since the version was blocked.
        A review that nobody decided in time counts as rejected.
    :param evidence: the digest of the version that was shown; a decision must name it.
    :param asked_by: who asked; with ``four_eyes`` somebody else must decide.
    :param where: the task that asked.
    """

    version: int
    status: str
    evidence: str
    asked_by: str
    where: Where | None
    until: datetime
    four_eyes: bool
    decided_by: str | None


@dataclass(frozen=True)
class ModelRow:
    """A model in the list.

    :param state: ``damaged``, ``stopped``, ``waiting``, ``drifting``, ``training``, ``healthy`` or ``new``; see
        :mod:`stoker.ui.views.states`.
    :param state_reason: a sentence that says why.
    :param problem: what is damaged; everything else may be missing then.
    """

    name: str
    state: str
    state_reason: str
    champion: ChampionBrief | None
    versions: int
    last_drift: DriftBrief | None
    last_wake_up: WakeUpBrief | None
    problem: str | None


@dataclass(frozen=True)
class Overview:
    """A page of models, by name.

    :param next: the page that follows begins after this name; ``None`` at the end.
    :param scanned: how many models were looked at for this page.
    :param total: how many names match the search, whatever their state.
    """

    models: list[ModelRow]
    next: str | None
    scanned: int
    total: int


@dataclass(frozen=True)
class AttentionItem:
    """A model that needs a person.

    :param reason: why.
    :param action: what to do.
    :param version: the version that it is about, if there is one.
    """

    model: str
    state: str
    reason: str
    action: str
    version: int | None


@dataclass(frozen=True)
class Attention:
    """Models that need a person, the most urgent first.

    :param items: the first of them.
    :param needing: how many there are among the models that were looked at.
    :param scanned: how many models were looked at so far. While these are fewer than ``total``, the same question knows more when it is
        asked again.
    :param total: how many models there are.
    """

    items: list[AttentionItem]
    needing: int
    scanned: int
    total: int


@dataclass(frozen=True)
class ModelView:
    """A model as a whole.

    :param action: what a person should do now; empty when nothing.
    :param previous: the champion before this one.
    :param blocked: the blocked versions.
    :param reviews: those that wait for a person.
    :param requests: how many requests to train are open.
    :param dag_id: the DAG that registered the newest version; ``None`` when none did.
    :param entries: how many entries its log has.
    :param digest: of the newest entry. Noted elsewhere, it proves later that the log was not rewritten.
    """

    name: str
    state: str
    state_reason: str
    action: str
    champion: ChampionBrief | None
    previous: int | None
    aliases: dict[str, int]
    versions: int
    blocked: list[int]
    last_drift: DriftBrief | None
    last_performance: PerformanceBrief | None
    last_wake_up: WakeUpBrief | None
    reviews: list[ReviewBrief]
    requests: int
    dag_id: str | None
    entries: int
    digest: str
    problem: str | None


@dataclass(frozen=True)
class VersionRow:
    """A version in the list.

    :param archived: whether retention gave its files up.
    :param outcome: the verdict of its evaluation, ``not_configured`` when it has none.
    :param reason: the first reason of the verdict.
    :param metrics: by name, the one that decided first.
    :param metric: the one that decided.
    :param registered: when it was.
    :param actor: who registered it.
    :param where: the task that did.
    :param evaluation: the digest of the evaluation document.
    :param digest: of the version: its manifest, with all that it names.
    :param review: what became of asking a person, if one was asked.
    """

    number: int
    aliases: list[str]
    blocked: bool
    archived: bool
    outcome: str
    reason: str
    metrics: dict[str, float | None]
    metric: str | None
    registered: datetime
    actor: str
    where: Where | None
    evaluation: str | None
    digest: str
    review: ReviewBrief | None


@dataclass(frozen=True)
class VersionsPage:
    """Versions, newest first.

    :param next: the page that follows holds the versions before this number; ``None`` at the end.
    """

    model: str
    rows: list[VersionRow]
    next: int | None
    total: int


@dataclass(frozen=True)
class MetricRow:
    """One metric of an evaluation.

    :param value: of the version.
    :param champion: of the champion of then, on the same rows.
    :param baselines: of the plain models, on the same rows: ``dummy``, ``linear``.
    :param decides: whether the comparison was made by it.
    """

    name: str
    value: float | None
    champion: float | None
    baselines: dict[str, float | None]
    decides: bool


@dataclass(frozen=True)
class Difference:
    """How much better a version was than the champion of then, on the same rows; positive is better.

    :param low: lower end of its interval.
    :param high: upper end.
    """

    metric: str | None
    value: float | None
    champion: float | None
    estimate: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class FileFact:
    """A file of a version."""

    name: str
    sha256: str
    size: int


@dataclass(frozen=True)
class VersionView:
    """Everything of one version.

    :param registered_because: the reason that was given when it was registered.
    :param seq: the log entry that registered it.
    :param reasons: all of the verdict.
    :param policy: the rules that the evaluation was judged by.
    :param rows: how many rows it was evaluated on.
    :param baseline_version: the champion that it was compared with.
    :param data: facts such as ``dataset``, ``partition``, ``target``, ``rows_train``.
    :param snapshots: digests of the dataset documents that it was trained on, the newest last.
    :param parameters: of the estimator.
    :param importances: share of each feature, the largest first.
    :param candidate: the digest of the training's document.
    :param training: facts such as ``seconds``, and of a search if there was one.
    :param newest: the number of the model's newest version.
    """

    model: str
    row: VersionRow
    registered_because: str
    seq: int
    fingerprint: str
    reasons: list[str]
    metrics: list[MetricRow]
    difference: Difference | None
    policy: dict[str, Any]
    rows: int | None
    baseline_version: int | None
    estimator: str | None
    data: dict[str, Any]
    snapshots: list[str]
    features: list[dict[str, Any]]
    parameters: dict[str, Any]
    importances: dict[str, float]
    code: dict[str, Any]
    environment: dict[str, Any]
    training: dict[str, Any]
    candidate: str | None
    files: list[FileFact]
    newest: int


@dataclass(frozen=True)
class ComparedRow:
    """One fact of two versions, as text.

    :param left: ``None`` when that version does not have it.
    :param change: right less left, where both are numbers.
    """

    label: str
    left: str | None
    right: str | None
    differs: bool
    change: float | None = None


@dataclass(frozen=True)
class ComparedSection:
    """Facts of one kind: ``metrics``, ``parameters``, ``data``, ``code`` or ``environment``."""

    name: str
    rows: list[ComparedRow]
    differing: int


@dataclass(frozen=True)
class ComparisonView:
    """Two versions side by side.

    :param same_rows: whether their metrics were measured on the same rows, so that they can be compared at all.
    """

    model: str
    left: VersionRow
    right: VersionRow
    same_rows: bool
    sections: list[ComparedSection]


@dataclass(frozen=True)
class VersionPoint:
    """A version on the line of quality.

    :param value: its metric at its evaluation.
    :param champion: the metric of the champion of then, on the same rows.
    :param difference: how much better it was; positive is better.
    :param low: lower end of the interval of the difference.
    :param high: upper end.
    """

    version: int
    registered: datetime
    metric: str | None
    value: float | None
    champion: float | None
    difference: float | None
    low: float | None
    high: float | None
    outcome: str
    reason: str
    aliases: list[str]
    blocked: bool
    evaluation: str | None


@dataclass(frozen=True)
class QualityView:
    """Quality over versions and over time, each oldest first.

    :param metric: what the newest version was decided by; points may be of another.
    """

    model: str
    metric: str | None
    versions: list[VersionPoint]
    windows: list[PerformanceBrief]


@dataclass(frozen=True)
class ChampionEvent:
    """Something that decided who is in office, or may be.

    :param kind: ``promoted``, ``rolled_back``, ``blocked`` or ``unblocked``.
    :param version: the version that took office, or that was blocked or unblocked.
    :param before: the champion that it replaced.
    :param until: when the next champion took over; ``None`` for the one in office, and for blocks.
    :param seq: the log entry.
    """

    kind: str
    version: int
    before: int | None
    time: datetime
    until: datetime | None
    actor: str
    where: Where | None
    reason: str
    seq: int


@dataclass(frozen=True)
class ChampionHistory:
    """Events, newest first.

    :param complete: whether these are all changes of office since the first. Blocks are shown as far as the newest entries tell.
    """

    model: str
    events: list[ChampionEvent]
    complete: bool


@dataclass(frozen=True)
class LineageNode:
    """A thing in the line from data to predictions.

    :param verdict: ``None`` where nothing is judged.
    :param document: the digest of its document.
    :param version: the version that it is, or that made it.
    :param where: the task that made it, where that was noted.
    """

    label: str
    detail: str
    verdict: str | None
    document: str | None
    version: int | None
    where: Where | None


@dataclass(frozen=True)
class LineageStage:
    """Things of one kind.

    :param name: ``data``, ``validation``, ``training``, ``version``, ``champion`` or ``predictions``.
    :param omitted: how many earlier ones are not shown.
    """

    name: str
    title: str
    nodes: list[LineageNode]
    omitted: int


@dataclass(frozen=True)
class LineageView:
    """Where a version comes from and what it did; every stage is there, if need be without nodes."""

    model: str
    version: int
    stages: list[LineageStage]


@dataclass(frozen=True)
class DriftWindow:
    """A column of the drift map: one window.

    :param missing: whether its document is gone, so that it has a verdict but no cells.
    """

    window: str
    version: int
    verdict: str
    alert: bool
    end: datetime | None
    document: str | None
    missing: bool


@dataclass(frozen=True)
class DriftCell:
    """One column of data in one window.

    :param effect: the effect size; ``None`` when it is undefined.
    :param bar: the threshold that decided.
    :param kind: ``drift``, ``missing``, ``vanished``, ``new``, ``empty``, ``constant`` or ``ok``.
    """

    effect: float | None
    bar: float | None
    drifted: bool
    kind: str
    method: str
    reason: str


@dataclass(frozen=True)
class DriftColumn:
    """One column of data over all windows.

    :param weight: its share of the model's importance.
    :param drifted: in how many of the windows.
    :param worst: the largest effect size as a multiple of its threshold.
    :param cells: one a window; ``None`` where it was not judged.
    """

    column: str
    role: str
    weight: float | None
    drifted: int
    worst: float | None
    cells: list[DriftCell | None]


@dataclass(frozen=True)
class DriftMap:
    """Columns by windows, the columns that drifted most first and the windows oldest first.

    :param omitted: how many columns are left out.
    """

    model: str
    windows: list[DriftWindow]
    columns: list[DriftColumn]
    omitted: int


@dataclass(frozen=True)
class HistoryEntry:
    """One entry of a model's log.

    :param kind: ``register``, ``set_alias``, ``rollback``, ``block`` …
    :param change: what was changed, in words.
    :param version: the version that it is about.
    :param origin: where it came from, as it was noted; ``where`` when that is a task.
    :param digest: SHA-256 of the entry.
    """

    seq: int
    time: datetime
    kind: str
    change: str
    version: int | None
    actor: str
    origin: str
    where: Where | None
    reason: str
    digest: str


@dataclass(frozen=True)
class HistoryPage:
    """Entries, newest first.

    :param next: the page that follows holds the entries before this number; ``None`` at the end.
    """

    model: str
    entries: list[HistoryEntry]
    next: int | None
    total: int


@dataclass(frozen=True)
class Cause:
    """Who asked for a training, and why."""

    source: str
    reason: str


@dataclass(frozen=True)
class WakeUpView:
    """One time that the loop had something to decide; see :class:`stoker.loop.wake_ups.WakeUp`."""

    time: datetime
    who: str
    where: Where | None
    woken_by: list[Cause]
    result: str
    condition: str
    reason: str
    version: int | None


@dataclass(frozen=True)
class RequestView:
    """A request to train that is open."""

    id: str
    source: str
    reason: str
    time: datetime
    actor: str
    where: Where | None
    evidence: dict[str, Any]


@dataclass(frozen=True)
class LeaseView:
    """Who trains now.

    :param lost: whether it has run out without a result.
    """

    holder: str
    where: Where | None
    since: datetime
    until: datetime
    lost: bool


@dataclass(frozen=True)
class BreakerView:
    """Whether trainings are held back because the last ones brought no new champion.

    :param ineffective: how many in a row did not.
    :param since: when the last of them ended.
    """

    open: bool
    ineffective: int
    since: datetime | None


@dataclass(frozen=True)
class NextTraining:
    """When a training may begin.

    :param allowed: whether one may begin now.
    :param condition: what decides: ``granted``, ``nothing_to_do``, ``leased``, ``cooldown``, ``budget`` or ``breaker_open``.
    :param at: when it is worth to look again, if that is known.
    """

    allowed: bool
    condition: str
    reason: str
    at: datetime | None


@dataclass(frozen=True)
class WhyView:
    """What the loop did and waits for.

    :param wake_ups: newest first.
    :param requests: those that are open, newest first.
    """

    model: str
    wake_ups: list[WakeUpView]
    requests: list[RequestView]
    lease: LeaseView | None
    breaker: BreakerView
    next_training: NextTraining


@dataclass(frozen=True)
class DocumentView:
    """A stored document.

    :param verdict: its outcome, if it judges something.
    :param content: the document itself.
    :param has_report: whether Stoker renders a report of this kind.
    :param has_evidently: whether Evidently's own report was stored with it.
    """

    digest: str
    kind: str
    verdict: str | None
    reasons: list[str]
    content: dict[str, Any]
    has_report: bool
    has_evidently: bool
