"""The stack that `dev` runs on this machine, as an operator's verbs see an installation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from devstack.secrets_file import load_secrets
from devstack.stack import TOPIC_PREFIX, running_stack
from operations.installation import Installation

COMMAND = "./switchhook"
HOW = "no stack runs here: start `dev`"


def running_installation(folder: Path) -> Installation:
    """That of the stack that runs on the folder; nothing is known of it while none runs."""
    running = running_stack(folder)
    if running is None:
        return Installation(COMMAND, HOW)
    secrets = load_secrets(folder / "secrets.json")
    servers = {"SWITCHHOOK_KAFKA": running.kafka, TOPIC_PREFIX: running.topic_prefix}

    def environment(service: str) -> Mapping[str, str]:
        return secrets.settings_for(service) | servers

    return Installation(
        COMMAND, HOW, running.cluster, running.dsns, running.services,
        gateway=running.services.get("registry", ""), token=secrets.admin_token, kek=secrets.kek, environment=environment,
        when_away="`dev` starts its own servers again; ask once more when that is done",
    )  # fmt: skip
