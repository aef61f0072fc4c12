"""Names that have broken other systems: traversal, encodings, shells, templates, look-alikes, devices."""

from __future__ import annotations

HOSTILE_NAMES = [
    "..", ".", "", "/etc/passwd", "..\\..\\x", "%2e%2e%2f", "%252e%252e%252f", "....//", "a/../../b", "a\0b", "a\nb", "\u202ea",
    "\uff0e\uff0e/", "\uff41", "\u00e9", "e\u0301",
    "CON", "con", "nul", "nul.json", "a.", " a", "a ", "a" * 256, "a" * 65536, "-rf", "~root", "$HOME",
    "`id`", "{{7*7}}", "file:///etc", "http://#/../..", "a?b", "a#b", "s3://other/x", "//x", "\\\\host\\share", "a:b", "*", "[x]",
    "Champion", "0", "-1", "1e3", "\uff11", "__proto__", "a&b", "<script>", "a;b", "a|b",
]  # fmt: skip
