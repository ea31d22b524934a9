"""The one error that is the operator's to mend before the process starts."""

import os

SECRETS_DIR = "SWITCHHOOK_SECRETS_DIR"
"""Environment variable: a folder whose files are settings too (`switchhook_kek`, …), as containers mount secrets."""


class Misconfigured(ValueError):
    """A setting is missing or does not go with another one. The message is a sentence that names it."""


def not_set(name: str) -> Misconfigured:
    """For a setting without which the process cannot work, `SWITCHHOOK_…`; says where it was looked for."""
    folder = os.environ.get(SECRETS_DIR)
    return Misconfigured(f"{name} is not set" + (f", and there is no file {folder}/{name.lower()}" if folder else ""))
