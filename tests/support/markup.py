"""A page as a browser reads it: its elements with their attributes and texts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = {"meta", "link", "input", "br", "hr", "img", "col"}
_INLINE = {"a", "b", "code", "span", "time"}


@dataclass
class Element:
    """An element; ``text`` is that of everything inside it, with single spaces."""

    tag: str
    attributes: dict[str, str]
    texts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """What is read."""
        return " ".join("".join(self.texts).split())


class Page(HTMLParser):
    """Parses a page.

    :param html: the whole page.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open an element."""
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.elements.append(element)
        if tag not in _VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        """Close an element, and what was left open in it."""
        if any(element.tag == tag for element in self._open):
            while self._open.pop().tag != tag:
                pass
        if tag not in _INLINE:
            self.handle_data(" ")

    def handle_data(self, data: str) -> None:
        """Text belongs to all elements around it."""
        for element in self._open:
            element.texts.append(data)

    def find(self, tag: str = "", **attributes: str) -> Iterator[Element]:
        """Elements with these attributes; an underscore in a name stands for a dash."""
        wanted = {name.replace("_", "-"): value for name, value in attributes.items()}
        return (
            element
            for element in self.elements
            if element.tag == (tag or element.tag) and wanted.items() <= element.attributes.items()
        )

    @property
    def text(self) -> str:
        """All that is read."""
        return next(self.find("html")).text


def scripts_and_handlers(page: Page) -> list[Element]:
    """What runs, or would run, without being a file of ours: none on a page that keeps its own policy."""
    return [
        element
        for element in page.elements
        if any(name.startswith("on") for name in element.attributes)
        or any(value.strip().lower().startswith("javascript:") for value in element.attributes.values())
        or (element.tag == "script" and not _is_ours(element))
    ]


def _is_ours(script: Element) -> bool:
    if script.attributes.get("type") == "application/json":
        return True
    return script.attributes.get("src", "").startswith(("/stoker/static/", "/stoker/assets/")) and not script.text
