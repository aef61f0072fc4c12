"""The smoke test: a model must load and predict in a clean process before anybody relies on it.

``python -m stoker.engines.smoke`` is that process: a request as JSON on its standard input, an answer as JSON on its standard
output. Heavy libraries are imported only after its limits are set.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from stoker.core.verdicts import Outcome, Verdict
from stoker.errors import CorruptArtifact, ModelError, NotFound, UntrustedArtifact
from stoker.store.base import ObjectStore
from stoker.store.documents import digest_of, get_file
from stoker.store.files import scratch

log = logging.getLogger(__name__)

PARITY = 1e-9
"""How far a prediction may lie from the one at training time."""

_PREDICTIONS = 20
_FILES = {"model": "model.skops", "golden": "golden.parquet"}

_ADVICE = {
    "corrupt": "Restore the file from a backup, or train again.",
    "untrusted": "If these types are harmless, name them in the policy's trusted list.",
    "missing_column": "The stored golden rows do not fit the candidate; train again.",
    "nan_output": "Look at how the estimator treats missing values.",
    "parity": "Load it with the versions that it was trained with, or train again.",
    "slow": "Make the model smaller, or allow more time.",
    "prediction": "Train again with the versions that are installed here.",
    "crash": "Do not load this model in another process. Train again.",
    "timeout": "Make the model smaller, or allow more time.",
    "memory": "Make the model smaller, or allow more memory.",
}


def smoke_test(
    store: ObjectStore,
    candidate: Mapping[str, Any],
    *,
    trusted: Iterable[str] = (),
    timeout_seconds: float = 120.0,
    memory_bytes: int = 4 * 1024**3,
    max_latency_seconds: float = 10.0,
) -> Verdict:
    """Load a candidate in a child process and compare its predictions on the golden rows with those at training time.

    :param candidate: the content of a candidate document, or of a manifest's ``candidate``.
    :param trusted: types beyond Stoker's own list that the model may hold.
    :param timeout_seconds: of the child, imports included; also its limit of CPU time.
    :param memory_bytes: address space of the child.
    :param max_latency_seconds: for the 95th percentile of predicting the golden rows (at most 32) in one batch.
    :returns: pass, or fail with one reason; ``numbers["smoke"]`` names it in one word, beside the latency and the versions.
    """
    with scratch() as folder:
        try:
            for role, name in _FILES.items():
                get_file(store, candidate["files"][name]["sha256"], Path(folder, role), f"The {role} file {name}")
        except (CorruptArtifact, NotFound) as error:
            return _failed("corrupt", error.message)
        request = {
            "sha256": {role: candidate["files"][name]["sha256"] for role, name in _FILES.items()},
            "folder": str(folder),
            "trusted": sorted(trusted),
            "task": candidate["task"],
            "classes": candidate["classes"],
            "features": [feature["name"] for feature in candidate["features"]],
            "environment": candidate["environment"],
            "cpu_seconds": int(timeout_seconds) + 1,
            "memory_bytes": memory_bytes,
        }
        answer = _ask(request, folder, timeout_seconds)
    return _judge(answer, max_latency_seconds)


def _ask(request: Mapping[str, Any], folder: Path, timeout_seconds: float) -> dict[str, Any]:
    """Run the child and turn however it ends into an answer."""
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "stoker.engines.smoke"],
            input=json.dumps(request).encode(),
            capture_output=True,
            timeout=timeout_seconds,
            cwd=folder,
            env=_child_environment(),
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"smoke": "timeout", "sentence": f"it took longer than {timeout_seconds:g} s"}
    log.debug("The smoke test said: %s", done.stderr.decode(errors="replace")[-4000:])
    if done.returncode == -signal.SIGXCPU:
        return {"smoke": "timeout", "sentence": f"it took more than {request['cpu_seconds']} s of CPU time"}
    if done.returncode == -signal.SIGKILL:
        return {"smoke": "memory", "sentence": "the system killed the process, most likely for want of memory"}
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        last = done.stderr.decode(errors="replace").strip().rsplit("\n", 1)[-1]
        return {"smoke": "crash", "sentence": f"the process ended with {done.returncode}: {ascii(last)[:300]}"}
    return answer


def _child_environment() -> dict[str, str]:
    """Nothing of this process but what an import needs: no credentials, and this very ``sys.path`` in its order."""
    keep = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR", "PYTHONDONTWRITEBYTECODE")
    return {
        **{name: os.environ[name] for name in keep if name in os.environ},
        "PYTHONPATH": os.pathsep.join(str(Path(entry).absolute()) for entry in sys.path if entry),
        # Each thread reserves address space, and one is plenty for 32 rows.
        **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    }


def _judge(answer: Mapping[str, Any], max_latency_seconds: float) -> Verdict:
    if answer["smoke"] != "pass":
        return _failed(answer["smoke"], answer["sentence"])
    latency = answer["p95_seconds"]
    log.info("Predicting the golden rows took %.3f s (95th percentile).", latency)
    if latency > max_latency_seconds:
        sentence = f"a batch took {latency:.2f} s (95th percentile); at most {max_latency_seconds:g} s are allowed"
        return _failed("slow", sentence, latency)
    reason = f"In a clean process the model gave the same {answer['rows']} predictions as when it was trained."
    numbers = {"smoke": "pass", "p95_seconds": latency, "max_deviation": answer["max_deviation"]}
    return Verdict(Outcome.PASS, (reason, *answer["differences"]), numbers)


def _failed(code: str, sentence: str, latency: float | None = None) -> Verdict:
    numbers = {"smoke": code} if latency is None else {"smoke": code, "p95_seconds": latency}
    return Verdict(
        Outcome.FAIL,
        (f"The model must load and predict in a clean process ({code}): {sentence.rstrip('.')}. {_ADVICE[code]}",),
        numbers,
    )


def main() -> None:
    """The child: answer one request. What the model itself prints goes to standard error."""
    request = json.load(sys.stdin)
    _limit(request["memory_bytes"], request["cpu_seconds"])
    with contextlib.redirect_stdout(sys.stderr):
        answer = _answer(request)
    json.dump(answer, sys.stdout)


def _limit(memory_bytes: int, cpu_seconds: int) -> None:
    import resource

    # Some systems refuse a limit of address space; the time limit of the parent holds there too.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 5))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _answer(request: Mapping[str, Any]) -> dict[str, Any]:
    too_large = {"smoke": "memory", "sentence": f"it needs more than {request['memory_bytes']} bytes of address space"}
    try:
        return _predict_golden(request)
    except MemoryError:
        return too_large
    except UntrustedArtifact as error:
        # Other versions of scikit-learn give the same types other names.
        return {"smoke": "untrusted", "sentence": _beside_versions(error.message, request)}
    except CorruptArtifact as error:
        return {"smoke": "corrupt", "sentence": error.message}
    except ModelError as error:
        return {"smoke": "nan_output" if error.details.get("nan") else "prediction", "sentence": error.message}
    except ImportError as error:
        if "failed to map segment" in str(error):  # the loader's words for no address space left
            return too_large
        return {"smoke": "prediction", "sentence": f"a package is missing: {error}"}


def _predict_golden(request: Mapping[str, Any]) -> dict[str, Any]:
    # Imported here so that the limits of this process already hold.
    from stoker.engines.environment import differences, environment
    from stoker.engines.frames import to_frame
    from stoker.engines.golden import deviation, read_golden
    from stoker.engines.persistence import load_model
    from stoker.engines.prediction import predict

    paths = {role: Path(request["folder"], role) for role in _FILES}
    for role, path in paths.items():
        if digest_of(path) != request["sha256"][role]:
            raise CorruptArtifact(f"The {role} file changed on its way into the clean process")
    model = load_model(paths["model"].read_bytes(), trusted=request["trusted"])
    table, expected = read_golden(paths["golden"].read_bytes())
    missing = sorted(set(request["features"]) - set(table.column_names))
    if missing:
        return {"smoke": "missing_column", "sentence": f"the golden rows lack {', '.join(missing)}"}
    frame = to_frame(table.select(request["features"]))
    seconds = []
    for _ in range(_PREDICTIONS):
        started = time.perf_counter()
        output = predict(model, frame, task=request["task"], classes=request["classes"])
        seconds.append(time.perf_counter() - started)
    away = deviation(expected, output)
    if not away <= PARITY:  # also refuses NaN
        sentence = f"predictions differ by up to {away:g} from those at training time; at most {PARITY:g} is allowed"
        return {"smoke": "parity", "sentence": _beside_versions(sentence, request)}
    return {
        "smoke": "pass",
        "rows": len(frame),
        "p95_seconds": round(statistics.quantiles(seconds, n=20)[-1], 6),
        "max_deviation": away,
        "differences": differences(request["environment"], environment()),
    }


def _beside_versions(sentence: str, request: Mapping[str, Any]) -> str:
    from stoker.engines.environment import differences, environment

    return " ".join((sentence, *differences(request["environment"], environment())))


if __name__ == "__main__":
    main()
