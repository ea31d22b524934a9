"""What a service keeps of the operator's token: its digest, so that nobody who sees a process's settings is the operator."""

from __future__ import annotations

import re
from hashlib import sha256

DIGESTED = "sha256:"
_KEPT = re.compile(r"sha256:[0-9a-f]{64}")


def kept_operator_token(text: str) -> str:
    """`sha256:` and the hex digest of the token, or what is that already. Raises ValueError for a digest that is none."""
    if not text.startswith(DIGESTED):
        return DIGESTED + sha256(text.encode()).hexdigest()
    if not _KEPT.fullmatch(text):
        raise ValueError("behind sha256: stand 64 digits of 0-9 and a-f")
    return text
