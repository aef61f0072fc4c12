"""Write licences.md: every package that an installation brings, from the lock, with the licence that it states. ``make licences``."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.markers import Marker

PROJECT = Path(__file__).resolve().parents[1]
PAGE = PROJECT / "docs" / "licences.md"
NAME = "airflow-provider-stoker"
# The image's platform. Another one may need a package more, such as colorama on Windows.
_ENVIRONMENT = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.12.12",
    "python_version": "3.12",
    "sys_platform": "linux",
}
# The names that licences had before there were SPDX expressions.
_SPDX = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "GNU Library or Lesser General Public License (LGPL)": "LGPL-3.0-or-later",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
}
# What these two state is a list to choose from, or no name at all; read in the files that they ship.
_READ = {"skops": "MIT", "text-unidecode": "Artistic-1.0-Perl OR GPL-2.0-or-later"}
_HEAD = f"""# Licences of what an installation brings

Every package that `{NAME}` with all its extras installs for Python 3.12 on Linux, from the lock file, with the licence that
the package states of itself. `make licences` writes this page; a test fails when the lock holds a package that is not here, or when a
licence is none of those that were looked at and found fit.

| package | version | licence |
|---|---|---|
"""


def locked() -> dict[str, str]:
    """Name and version of every package that the distribution needs, with all its extras."""
    packages = tomllib.loads((PROJECT / "uv.lock").read_text())["package"]
    own = next(package for package in packages if package["name"] == NAME)
    found = dict(_needed(packages, own, own.get("optional-dependencies", {})))
    return dict(sorted(found.items()))


def _needed(
    packages: Iterable[Mapping[str, Any]], own: Mapping[str, Any], extras: Iterable[str]
) -> Iterator[tuple[str, str]]:
    seen: set[tuple[str, str | None]] = set()
    waiting = [(own, extra) for extra in [None, *extras]]
    while waiting:
        package, extra = waiting.pop()
        if (package["name"], extra) in seen:
            continue
        seen.add((package["name"], extra))
        if package is not own:
            yield package["name"], package["version"]
        wanted = package.get("optional-dependencies", {}).get(extra, []) if extra else package.get("dependencies", [])
        for dependency in filter(_holds, wanted):
            target = next(each for each in packages if each["name"] == dependency["name"] and _same(each, dependency))
            waiting += [(target, more) for more in [None, *dependency.get("extra", [])]]


def _holds(dependency: Mapping[str, Any]) -> bool:
    return "marker" not in dependency or Marker(dependency["marker"]).evaluate({**_ENVIRONMENT, "extra": ""})


def _same(package: Mapping[str, Any], dependency: Mapping[str, Any]) -> bool:
    """A package that the lock holds in several versions is named with the one that is meant."""
    return dependency.get("version", package["version"]) == package["version"]


def stated(name: str) -> str:
    """The licence of an installed package, as an SPDX expression.

    :raises PackageNotFoundError: when it is not installed.
    """
    about = metadata.metadata(name)
    if name in _READ:
        return _READ[name]
    if expression := about.get("License-Expression"):
        return expression
    names = [line.split(" :: ")[-1] for line in about.get_all("Classifier", []) if line.startswith("License ::")]
    names = names or [(about.get("License") or "unknown").splitlines()[0]]
    return " OR ".join(sorted({_SPDX.get(each, each) for each in names}))


def listed() -> dict[str, tuple[str, str]]:
    """Version and licence of each package on the page."""
    rows = [line.strip("| \n").split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    return {name: (version, licence) for name, version, licence in rows[1:]}


if __name__ == "__main__":
    PAGE.write_text(_HEAD + "".join(f"| {name} | {version} | {stated(name)} |\n" for name, version in locked().items()))
