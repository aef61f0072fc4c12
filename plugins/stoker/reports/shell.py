"""The shell of every report: a template with its styles, scripts and data in one file, which opens from a disk and without a network."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError
from markupsafe import Markup

from stoker.errors import UnreadableData
from stoker.reports import text

ASSETS = Path(__file__).parent / "assets"
"""Scripts and styles of charts, which pages serve as files."""

THEMES = ("light", "dark")

SCRIPTS = ("d3.min.js", "plot.umd.min.js", "charts.js", "kinds.js", "height.js")
"""Those of a report, in the order in which they run."""

_STYLES = ("charts.css", "report.css")


def render(template: str, *, theme: str | None, nonce: str, **values: Any) -> str:
    """A page as one file.

    :param template: its name under ``templates/``.
    :param theme: ``light`` or ``dark``; anything else leaves it to the reader's own setting.
    :param nonce: what the scripts carry where the server's policy asks for it.
    :param values: what the template shows.
    """
    return _environment().get_template(template).render(
        theme=theme if theme in THEMES else None, nonce=nonce, csp=_policy(), styles=_styles(), scripts=_scripts(), **values
    )  # fmt: skip


@contextmanager
def readable(what: str) -> Iterator[None]:
    """Tell of content that is not as Stoker writes it: documents come from a store, where anybody may have put them.

    :raises UnreadableData: instead of whatever the missing part led to.
    """
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, TemplateError) as error:
        raise UnreadableData(
            f"{what} must be as Stoker writes it to be shown as a report; it is not: {type(error).__name__}: {error}. "
            "Look at the document itself."
        ) from error


@cache
def _environment() -> Environment:
    found = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=text.visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for write in (
        text.number,
        text.setting,
        text.signed,
        text.percent,
        text.p_value,
        text.size,
        text.duration,
        text.moment,
        text.short,
    ):
        found.filters[write.__name__] = write
    found.globals["OUTCOMES"] = text.OUTCOMES
    return found


@cache
def _scripts() -> tuple[Markup, ...]:
    return tuple(Markup(_asset(name)) for name in SCRIPTS)  # noqa: S704 - our own files, and no data


@cache
def _styles() -> Markup:
    return Markup("\n".join(_asset(name) for name in _STYLES))  # noqa: S704 - our own files, and no data


@cache
def _policy() -> str:
    """For a file that was downloaded, and has no server to send one: nothing runs but our scripts, nothing is fetched."""
    digests = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in _scripts())
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    return f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")
