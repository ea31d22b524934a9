"""The secrets of one development stack: made once, kept in a file that only its owner may read."""

import base64
import hmac
import json
import os
import secrets
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from servicekit.operator_token import kept_operator_token

SERVICES_WITH_KEK = frozenset({"registry", "ingress", "dispatcher"})
SERVICES_WITH_LINK_KEY = frozenset({"registry", "ingress", "flow-engine"})


@dataclass(frozen=True)
class StackSecrets:
    """`kek` is `id:base64 of 32 bytes`, as services read it; from `database_password` follow those of the services' roles."""

    admin_token: str
    kek: str
    link_key: str
    database_password: str

    def database_password_of(self, service: str) -> str:
        """The password of the service's role: from one, nobody learns another's."""
        return hmac.new(self.database_password.encode(), service.encode(), sha256).hexdigest()

    def settings_for(self, service: str) -> dict[str, str]:
        """The environment of a service: only the secrets that it may know."""
        settings = {"SWITCHHOOK_ADMIN_TOKEN": kept_operator_token(self.admin_token)}
        if service in SERVICES_WITH_KEK:
            settings["SWITCHHOOK_KEK"] = self.kek
        if service in SERVICES_WITH_LINK_KEY:
            settings["SWITCHHOOK_LINK_KEY"] = self.link_key
        return settings


def new_secrets() -> StackSecrets:
    """Random ones."""
    return StackSecrets(
        admin_token=secrets.token_urlsafe(32),
        kek=f"dev:{base64.b64encode(secrets.token_bytes(32)).decode()}",
        link_key=secrets.token_urlsafe(32),
        database_password=secrets.token_urlsafe(24),
    )


def load_secrets(path: Path) -> StackSecrets:
    """Read the file; make it first if it is not there. Given by the environment, the operator's token wins."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_suffix(".new")
        scratch.touch(mode=0o600)
        scratch.write_text(json.dumps(asdict(new_secrets()), indent=2))
        scratch.replace(path)
    kept = json.loads(path.read_text())
    given = os.environ.get("SWITCHHOOK_ADMIN_TOKEN")
    return StackSecrets(**(kept | ({"admin_token": given} if given else {})))
