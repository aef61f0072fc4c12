"""Judge a candidate on rows that it has not seen: against bounds, baselines, and the champion re-scored on the same rows."""

from __future__ import annotations

import io
import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from stoker.core.policies import GatePolicy, Mode
from stoker.core.promotion import (
    PairedDifference,
    judge_comparison,
    judge_dummy,
    judge_overlap,
    judge_size,
    judge_thresholds,
)
from stoker.core.records import Reference
from stoker.core.verdicts import Outcome, Verdict, combine
from stoker.engines import metrics
from stoker.engines.bootstrap import paired_difference
from stoker.engines.candidates import verify_files
from stoker.engines.evaluation_figures import draw_models
from stoker.engines.figures import store_figures
from stoker.engines.frames import read_table, row_hashes, to_frame
from stoker.engines.metrics import Array, Metric, Output
from stoker.engines.persistence import load_model
from stoker.engines.prediction import encode, predict
from stoker.engines.slices import choose_columns, measure_slices
from stoker.engines.smoke import smoke_test
from stoker.engines.training_rows import follow
from stoker.errors import ConfigurationError, IntegrityError, ModelError, NotFound, SchemaMismatch, UnsuitableData
from stoker.store import layout
from stoker.store.base import ObjectStore
from stoker.store.documents import get_bytes, get_document, put_document

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

log = logging.getLogger(__name__)

_SEED = 0
_SHOWN = 300  # characters of a reason in a summary; the whole text stands in the document


@dataclass(frozen=True)
class Rows:
    """The rows that everybody is judged on.

    :param table: whole rows, in canonical form.
    :param y: the truth as class codes or values; -1 for a class that the candidate does not know.
    """

    table: pa.Table
    y: Array

    def features(self, candidate: Mapping[str, Any]) -> pd.DataFrame:
        """The features of a model, in the order in which it was fitted."""
        return to_frame(self.table.select([feature["name"] for feature in candidate["features"]]))


@dataclass(frozen=True)
class Champion:
    """The model in office.

    :param number: its version number; ``None`` when it is not known.
    :param candidate: the content of its candidate document.
    """

    number: int | None
    candidate: Mapping[str, Any]

    @property
    def name(self) -> str:
        """For sentences."""
        return "the champion" if self.number is None else f"the champion v{self.number}"


def evaluate(
    store: ObjectStore,
    *,
    model: Reference,
    policy: GatePolicy,
    dataset: Reference | None = None,
    champion: Mapping[str, Any] | None = None,
    champion_version: int | None = None,
    mode: str = Mode.ENFORCE,
    slices: Sequence[str] | None = None,
    trusted: Iterable[str] = (),
) -> Reference:
    """Judge a candidate and store the evaluation. A negative verdict is an answer, not an error.

    The first model has no champion to beat: its thresholds alone decide, and without any the verdict is ``not_configured``. A
    champion is always loaded and scored now, on the very same rows; numbers from its own time are not comparable.

    :param store: where candidate and rows lie.
    :param model: a reference of kind ``candidate``.
    :param policy: what must hold.
    :param dataset: a reference of kind ``dataset`` or ``validation``; the candidate's own holdout without it.
    :param champion: the manifest of the version in office, with ``candidate`` and ``files``; ``None`` when there is none.
    :param champion_version: its number.
    :param mode: ``enforce``; ``dry_run``: the same verdict, which the caller must not act on; ``off``: nothing is judged.
    :param slices: columns by whose values both models are measured apart, for the report alone: no gate decides by them. Without it, up to
        three of the most important features.
    :param trusted: types beyond Stoker's own list that models may hold.
    :returns: a reference of kind ``evaluation``; its document names one of kind ``figures``, which reports draw.
    :raises UsageError: when the policy names a metric that the task does not have, or the mode is none, or a slice is by a personal column.
    :raises CorruptArtifact: when a file of the candidate was damaged since training: no verdict, for that says nothing about the model.
    :raises SchemaMismatch: when the rows lack a column of the candidate, or one to slice by.
    :raises UnsuitableData: when rows have no target.
    """
    if isinstance(slices, str):
        raise ConfigurationError(f"slices must be a list of columns; got the text {ascii(slices)[:80]}.")
    if mode not in set(Mode):
        raise ConfigurationError(f"mode must be one of {', '.join(Mode)}; got {ascii(mode)[:80]}.")
    mode = Mode(mode)
    candidate = get_document(store, model.digest, "candidate")
    task = candidate["task"]
    for name in policy.thresholds:
        metrics.find(name, task)
    metric = metrics.find(policy.metric or metrics.DEFAULT_METRIC[task], task)
    digest = candidate["holdout"] if dataset is None else follow(store, dataset)[0]
    document = get_document(store, digest, "dataset")
    facts: dict[str, Any] = {
        "kind": "evaluation",
        "candidate": model.digest,
        "dataset": digest,
        "rows": document["rows"],
        "metrics": {},
        "champion_metrics": None,
        "baseline_version": champion_version,
        "baselines": {},
        "comparison": None,
        "smoke_passed": False,
        "figures": None,
        "policy": {**asdict(policy), "metric": metric.name},
        "mode": mode.value,
    }
    if mode is Mode.OFF:
        verdict = Verdict(Outcome.NOT_CONFIGURED, ("The gate is switched off (mode='off'); nothing was judged.",))
    else:
        office = None if champion is None else _champion(champion, champion_version)
        gate = _Gate(store, candidate, office, policy, metric, slices, tuple(trusted), facts)
        verdict = gate.judge(document)
    if mode is Mode.DRY_RUN:
        verdict = Verdict(verdict.outcome, verdict.reasons, {**verdict.numbers, "dry_run": True})
    log.info("Verdict %s (%s): %s", verdict.outcome.value, mode.value, verdict.reasons[0])
    facts["verdict"] = verdict.to_record()
    return _reference(store, put_document(store, facts), facts, verdict, metric)


class _Gate:
    """One evaluation in progress: it writes what it finds into ``facts`` and returns the verdict."""

    def __init__(
        self,
        store: ObjectStore,
        candidate: Mapping[str, Any],
        champion: Champion | None,
        policy: GatePolicy,
        metric: Metric,
        slices: Sequence[str] | None,
        trusted: tuple[str, ...],
        facts: dict[str, Any],
    ) -> None:
        self._store = store
        self._candidate = candidate
        self._champion = champion
        self._policy = policy
        self._metric = metric
        self._slices = slices
        self._personal = frozenset(candidate.get("personal_columns", ()))
        self._outputs_shown: dict[str, Output] = {}
        self._trusted = trusted
        self._facts = facts

    def judge(self, document: Mapping[str, Any]) -> Verdict:
        """The combined verdict of all gates, the comparison first when all of them are open."""
        verify_files(self._store, self._candidate)
        smoke = _without_latency(smoke_test(self._store, self._candidate, trusted=self._trusted))
        self._facts["smoke_passed"] = smoke.passed
        if not smoke.passed:  # such a model could take this process down as well
            return smoke
        rows = self._read(document)
        labels = self._judge_labels(rows)
        if not labels.passed:  # no metric is defined on such rows
            return combine([labels, smoke])
        try:
            output = self._outputs(self._candidate, rows, "model.skops")
        except ModelError as error:
            return Verdict(Outcome.FAIL, (error.message,), smoke.numbers)
        self._facts["metrics"] = self._measure(rows, output)
        self._outputs_shown["challenger"] = output
        verdicts = [
            *self._compare(rows, output),
            *self._judge_bounds(rows, output),
            *self._judge_baselines(rows, output),
            labels,
            self._judge_overlap(rows, self._candidate, "the challenger"),
            judge_size(len(rows.y), self._policy),
            smoke,
        ]
        self._facts["figures"] = store_figures(self._store, "evaluation", lambda: self._draw(rows))
        return combine(verdicts)

    def _draw(self, rows: Rows) -> dict[str, Any]:
        """What the report shows of the models that were scored."""
        task, shown, columns = self._candidate["task"], self._outputs_shown, self._slices
        if columns is None:
            columns = choose_columns(self._candidate, rows.table, without=self._personal)
        return {
            "task": task,
            "rows": len(rows.y),
            "metric": self._metric.name,
            "greater_is_better": self._metric.greater_is_better,
            "models": draw_models(task, self._candidate["classes"], rows.y, shown),
            "slices": measure_slices(
                rows.table,
                columns,
                metric=self._metric,
                y=rows.y,
                challenger=shown["challenger"],
                champion=shown.get("champion"),
                alpha=self._policy.alpha,
            ),
        }

    def _read(self, document: Mapping[str, Any]) -> Rows:
        candidate = self._candidate
        known = {column["name"] for column in document["columns"]}
        private = self._personal.intersection(self._slices or ())
        if private:
            raise ConfigurationError(
                f"slices must not show values of personal columns; got {', '.join(sorted(private))}. Leave them out."
            )
        wanted = [*(feature["name"] for feature in candidate["features"]), candidate["target"], *(self._slices or ())]
        missing = [name for name in wanted if name not in known]
        if missing:
            raise SchemaMismatch(
                f"The evaluation rows must have all columns of the model, and of slices; missing: {', '.join(missing)}. Pass a dataset "
                "of the same schema."
            )
        table = read_table(self._store, document)
        target = to_frame(table.select([candidate["target"]]))[candidate["target"]]
        if target.isna().any():
            raise UnsuitableData(
                f"Every evaluation row needs a target; {int(target.isna().sum())} of {len(target)} have none. Leave them out."
            )
        if candidate["task"] == metrics.REGRESSION:
            return Rows(table, target.to_numpy(dtype=np.float64))
        return Rows(table, encode(target, candidate["classes"]))

    def _outputs(self, candidate: Mapping[str, Any], rows: Rows, file: str) -> Output:
        data = get_bytes(self._store, candidate["files"][file]["sha256"], f"The model file {file}")
        model = load_model(data, trusted=self._trusted)
        return predict(model, rows.features(candidate), task=candidate["task"], classes=candidate["classes"])

    def _measure(self, rows: Rows, output: Output) -> dict[str, float | None]:
        names = {metric.name: metric for metric in metrics.defaults(self._candidate["task"])}
        names |= {name: metrics.find(name, self._candidate["task"]) for name in self._policy.thresholds}
        names[self._metric.name] = self._metric
        values = metrics.evaluate_all(list(names.values()), rows.y, output)
        return {name: value if math.isfinite(value) else None for name, value in values.items()}

    def _judge_bounds(self, rows: Rows, output: Output) -> list[Verdict]:
        if not self._policy.thresholds and self._champion is not None:
            return []
        names = self._policy.thresholds
        values = {name: metrics.find(name, self._candidate["task"])(rows.y, output) for name in names}
        return [judge_thresholds(values, names)]

    def _judge_labels(self, rows: Rows) -> Verdict:
        unknown = int(np.count_nonzero(rows.y == -1)) if self._candidate["task"] != metrics.REGRESSION else 0
        if unknown:
            return _invalid(f"{unknown} evaluation rows have a class that the model was never shown.")
        return Verdict(Outcome.PASS, ("All classes of the evaluation rows are known to the model.",))

    def _judge_baselines(self, rows: Rows, output: Output) -> list[Verdict]:
        verdicts, metric = [], self._metric
        value = metric(rows.y, output)
        for name in ("dummy", "linear"):
            file = f"baseline_{name}.skops"
            if file not in self._candidate["files"]:
                continue
            baseline = self._outputs(self._candidate, rows, file)
            self._facts["baselines"][name] = self._measure(rows, baseline)
            simple = metric(rows.y, baseline)
            if name == "dummy":
                verdicts.append(judge_dummy(value, simple, metric.name, greater_is_better=metric.greater_is_better))
            elif not (value > simple if metric.greater_is_better else value < simple):
                reason = f"{metric.name} {value:.4f} is no better than {simple:.4f} of a linear model; that would be simpler."
                verdicts.append(Verdict(Outcome.PASS, (reason,)))
        return verdicts

    def _judge_overlap(self, rows: Rows, candidate: Mapping[str, Any], whose: str) -> Verdict:
        missing = [name for name in candidate["hashed_columns"] if name not in rows.table.column_names]
        if missing:
            reason = (
                f"Whether {whose} was trained on these rows cannot be told: they lack the columns {', '.join(missing)} of its "
                "training rows. Evaluate on rows with the whole schema."
            )
            return Verdict(Outcome.INSUFFICIENT_DATA, (reason,))
        file = candidate["files"]["training_rows.npy"]["sha256"]
        data = get_bytes(self._store, file, f"The list of training rows of {whose}")
        trained = np.load(io.BytesIO(data), allow_pickle=False)
        hashes = row_hashes(rows.table.select(candidate["hashed_columns"]))
        seen = np.isin(hashes, trained)
        return judge_overlap(float(seen.mean()) if len(seen) else 0.0, whose, self._policy)

    def _compare(self, rows: Rows, output: Output) -> list[Verdict]:
        champion = self._champion
        if champion is None:
            return [judge_comparison(None, self._policy)]
        if champion.candidate["fingerprint"] == self._candidate["fingerprint"]:
            # A run that is repeated after its promotion must not find its own model wanting.
            return [
                Verdict(Outcome.PASS, (f"The candidate is {champion.name} itself, so there is nothing to compare.",))
            ]
        contract = self._contract_breach(champion, rows)
        if contract:
            return [_invalid(contract)]
        try:
            theirs = self._outputs(champion.candidate, rows, "model.skops")
        except (IntegrityError, NotFound, ModelError) as error:
            return [_unusable(champion, error.message)]
        self._facts["champion_metrics"] = self._measure(rows, theirs)
        self._outputs_shown["champion"] = theirs
        difference = paired_difference(
            self._metric, rows.y, output, theirs, alpha=self._policy.alpha, n_boot=self._policy.n_boot, seed=_SEED
        )
        self._facts["comparison"] = _comparison_record(difference, self._policy)
        return [
            judge_comparison(difference, self._policy),
            self._judge_overlap(rows, champion.candidate, champion.name),
        ]

    def _contract_breach(self, champion: Champion, rows: Rows) -> str | None:
        """Why the two cannot be compared at all, if they cannot."""
        ours, theirs = self._candidate, champion.candidate
        for what in ("task", "target", "classes"):
            if ours[what] != theirs[what]:
                return f"the {what} of {champion.name} is {theirs[what]!r}, that of the challenger {ours[what]!r}."
        missing = [feature["name"] for feature in theirs["features"] if feature["name"] not in rows.table.column_names]
        if missing:
            return f"the rows lack {', '.join(missing)}, which {champion.name} needs."
        return None


def _without_latency(smoke: Verdict) -> Verdict:
    """The smoke test's verdict without what differs at each look: a repeated evaluation must be the same document."""
    numbers = {name: value for name, value in smoke.numbers.items() if name != "p95_seconds"}
    return Verdict(smoke.outcome, smoke.reasons, numbers)


def _champion(manifest: Mapping[str, Any], number: int | None) -> Champion:
    return Champion(number, {**manifest["candidate"], "files": manifest["files"]})


def _invalid(why: str) -> Verdict:
    reason = f"Invalid comparison: {why} Promote by hand, without a verdict, if the change is meant."
    return Verdict(Outcome.FAIL, (reason,), {"invalid_comparison": True})


def _unusable(champion: Champion, why: str) -> Verdict:
    reason = (
        f"{champion.name.capitalize()} must be scored on the same rows, and cannot: {why} Roll back to a version that loads, or "
        "promote by hand, without a verdict."
    )
    return Verdict(Outcome.FAIL, (reason,), {"champion_unusable": True})


def _comparison_record(difference: PairedDifference, policy: GatePolicy) -> dict[str, Any]:
    record = {
        name: value if isinstance(value, str) or math.isfinite(value) else None
        for name, value in asdict(difference).items()
    }
    return {**record, "n_boot": policy.n_boot, "alpha": policy.alpha, "seed": _SEED}


def _reference(
    store: ObjectStore, digest: str, facts: Mapping[str, Any], verdict: Verdict, metric: Metric
) -> Reference:
    champion = facts["champion_metrics"] or {}
    values = {name: _rounded(value) for name, value in list(facts["metrics"].items())[:6]}
    if facts["metrics"]:
        values[metric.name] = _rounded(facts["metrics"][metric.name])
    return Reference(
        kind="evaluation",
        uri=f"{store.uri}/{layout.blob(digest)}",
        digest=digest,
        verdict=verdict.outcome.value,
        summary={
            "outcome": verdict.outcome.value,
            "reasons": [reason[:_SHOWN] for reason in verdict.reasons[:3]],
            "metric": metric.name,
            "metrics": values,
            "champion_metric": _rounded(champion.get(metric.name)),
            "champion_version": facts["baseline_version"],
            "rows": facts["rows"],
            "mode": facts["mode"],
        },
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
