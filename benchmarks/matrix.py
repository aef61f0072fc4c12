"""Runs what touches other libraries against the versions that Stoker supports, and prints a table of them.

::

    make matrix                 # all rows, five to eight minutes each
    make matrix ROWS="pandas3"  # only these

Each row is an environment of its own under ``.matrix/``: the lock file's versions, but for the packages that the row names. A Python
is looked for on the PATH as ``python3.11`` and so on, and in the environment variable ``PYTHON311`` and so on.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / ".matrix"
_ROOMS = ("loading", "engines", "operators", "dags", "triggers", "sensors", "hooks", "cli", "format", "test_compat.py")
_TESTS = [f"tests/{room}" for room in _ROOMS]
SHOWN = ("apache-airflow", "great-expectations", "evidently", "scikit-learn", "pandas", "pyarrow", "boto3")
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)
_SUMMED_UP = re.compile(r"\d (passed|failed|errors?)\b.* in \d")


@dataclass(frozen=True)
class Row:
    """One set of versions.

    :param pins: requirements that replace the lock's, by package; an empty one leaves the choice to the others.
    :param without: tests that cannot run there, as an expression for ``pytest -k``.
    """

    name: str
    python: str
    pins: dict[str, str] = field(default_factory=dict)
    without: str = ""


# Airflow 3.2 is tried with the libraries of its time: under newer ones its own task API does not start.
_OF_AIRFLOW_32 = {
    "pydantic": "<2.13", "pydantic-core": "", "cadwyn": "==6.1.1", "svcs": "<26", "starlette": "<1.1", "aiosqlite": "",
    "sqlalchemy": "<2.1",
}  # fmt: skip

ROWS = (
    Row("locked-3.11", "3.11"),
    Row("locked-3.12", "3.12"),
    Row("locked-3.13", "3.13"),
    Row(
        "oldest",
        "3.11",
        {
            "apache-airflow": "==3.2.2",
            "great-expectations": "==1.23.2",
            "evidently": "==0.7.21",
            "scikit-learn": "==1.8.0",
            **_OF_AIRFLOW_32,
        },
    ),
    Row("airflow-3.3.0", "3.12", {"apache-airflow": "==3.3.0", "great-expectations": "==1.24.0", "aiosqlite": ""}),
    # Evidently 0.7 does not import under pandas 3. All else works there, and a report that cannot be made fails nothing.
    Row("pandas3", "3.13", {"pandas": ">=3.1,<4", "pandas-stubs": ""}, without="not evidently and not drift_report"),
)


def main() -> int:
    """Run the rows, and return how many failed."""
    parser = argparse.ArgumentParser(description="Run what touches other libraries against all supported versions.")
    parser.add_argument("names", nargs="*", help=f"of {', '.join(row.name for row in ROWS)}; all of them by default")
    names = parser.parse_args().names
    unknown = set(names) - {row.name for row in ROWS}
    if unknown:
        parser.error(f"there is no row {', '.join(sorted(unknown))}")
    done = [(row, *_run(row)) for row in ROWS if not names or row.name in names]
    print(f"\n| row | Python | {' | '.join(SHOWN)} | tests |\n|{'---|' * (len(SHOWN) + 3)}")
    for row, versions, outcome, _ in done:
        print(f"| {row.name} | {row.python} | {' | '.join(versions.get(name, '-') for name in SHOWN)} | {outcome} |")
    return sum(failed for *_, failed in done)


def _run(row: Row) -> tuple[dict[str, str], str, bool]:
    """The versions of a row, the last line of its tests, and whether anything went wrong."""
    python = FOLDER / row.name / "bin" / "python"
    print(f"{row.name}: installing", flush=True)
    _install(row, python)
    versions = dict(_PIN.findall(_uv("pip", "freeze", "--python", str(python))))
    print(f"{row.name}: testing", flush=True)
    chosen = ["-k", row.without] if row.without else []
    command = [
        str(python),
        "-m",
        "pytest",
        "-q",
        "-n",
        "2",
        "--dist",
        "loadfile",
        "-p",
        "no:cacheprovider",
        *chosen,
        *_TESTS,
    ]
    log = FOLDER / f"{row.name}.log"
    with log.open("w") as out:
        code = subprocess.run(command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, check=False).returncode
    outcome = outcome_of(log.read_text())
    print(f"{row.name}: {outcome}" + (f"; see {log}" if code else ""), flush=True)
    return versions, outcome, code != 0


def outcome_of(log: str) -> str:
    """The line with which pytest sums up; libraries that warn at the end may write below it."""
    lines = log.strip().splitlines()
    return next((line for line in reversed(lines) if _SUMMED_UP.search(line)), lines[-1]).strip("= ")


def _install(row: Row, python: Path) -> None:
    """Make the environment of a row."""
    _uv("venv", "--quiet", "--clear", "--python", _interpreter(row.python), str(python.parent.parent))
    locked = _uv("export", "--quiet", "--locked", "--all-extras", "--no-hashes", "--no-emit-project", "--no-annotate")
    # Airflow's parts belong to each other, so an older one brings its own.
    replaced = {*row.pins, *(["apache-airflow"] if "apache-airflow" in row.pins else [])}
    kept = [line for line in locked.splitlines() if not _replaced(line, replaced)]
    (FOLDER / f"{row.name}.constraints").write_text("\n".join(kept))
    (FOLDER / f"{row.name}.overrides").write_text("\n".join(f"{name}{pin}" for name, pin in row.pins.items() if pin))
    _uv(
        "pip", "install", "--quiet", "--compile-bytecode", "--python", str(python),
        "--constraint", str(FOLDER / f"{row.name}.constraints"), "--override", str(FOLDER / f"{row.name}.overrides"),
        "--group", "dev", "--editable", ".[s3,sql]",
    )  # fmt: skip


def _replaced(line: str, replaced: set[str]) -> bool:
    name = re.split(r"[=<>!~; \[]", line, maxsplit=1)[0]
    return name in replaced or ("apache-airflow" in replaced and name.startswith("apache-airflow"))


def _interpreter(version: str) -> str:
    found = os.environ.get(f"PYTHON{version.replace('.', '')}") or shutil.which(f"python{version}")
    if not found:
        sys.exit(
            f"Python {version} must be on the PATH as python{version}, or in PYTHON{version.replace('.', '')}; it is in neither."
        )
    return found


def _uv(*arguments: str) -> str:
    uv = Path(sys.executable).with_name("uv")
    command = [str(uv if uv.exists() else "uv"), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command[:3])} must end well; it said:\n{done.stderr[-3000:]}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
