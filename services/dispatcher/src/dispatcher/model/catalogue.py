"""What the registry says about the targets, with the secrets open: from memory, opened once per version of an entity."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

import structlog

from channels.discovery import installed
from contracts.model import Model
from contracts.registry import ApiCall, Bot, Channel, Endpoint, Project, Sealed, Secret
from contracts.web_url import origin_of
from dispatcher.errors import NoRequest, NotYetKnown
from servicekit.credentials.channel_credentials import open_credentials
from servicekit.credentials.sealing import KeyRing, SealError
from servicekit.credentials.sent_values import SentValues, sent_values, with_secrets

M = TypeVar("M", bound=Model)
P = TypeVar("P", Endpoint, ApiCall, Channel)
T = TypeVar("T")
OTHER_PROJECT = "other-project"

log = structlog.get_logger()


PREFIX = "whsec_"
VALUES = "/values"
"""Behind a kind: what an entity of it sends along, kept beside its keys."""


def signing_key(secret: str) -> bytes:
    """The key bytes of a `whsec_` secret. Raises ValueError when it is not base64."""
    return b64decode(secret.removeprefix(PREFIX), validate=True)


def _require(kind: str, entity: Endpoint | ApiCall | Channel | Bot, project_id: str) -> None:
    if entity.project_id != project_id:
        log.error("delivery.other_project", kind=kind, id=entity.id, project=project_id, owner=entity.project_id)
        what = kind.replace("_", " ")
        raise NoRequest("exhausted", OTHER_PROJECT, f"The {what} belongs to another project.")


class View(Protocol):
    """The part of servicekit's RegistryView that is needed here."""

    def get(self, kind: str, id: str) -> Any:
        """The entity as its model, None when it is not known."""

    def find(self, kind: str, index: str, value: Any) -> Any:
        """The first entity under that value of an index, None when there is none."""

    def deleted(self, kind: str, id: str) -> bool:
        """Whether a delete of it was seen; what is merely unknown is not deleted."""
        ...


class Catalogue:
    """Look-ups by id. Raises NoRequest (cancelled) for what was deleted, NotYetKnown for what was never seen.

    What has secrets is asked for in the name of the delivery's project, and refused (NoRequest, `other-project`) where it
    is another's: a record that a bug or a forger wrote sends nothing with somebody else's credentials.

    `connectors`: the types of channel that messages can be sent to. Raises BrokenConnector for a package's that is broken.
    """

    def __init__(self, view: View, keys: KeyRing) -> None:
        self._view, self._keys, self.connectors = view, keys, installed()
        self._opened: dict[tuple[str, str], tuple[Model, Any]] = {}

    def endpoint(self, id: str, project_id: str) -> Endpoint:
        return self._of_project("endpoint", id, Endpoint, project_id)

    def api_call(self, id: str, project_id: str) -> ApiCall:
        return self._of_project("api_call", id, ApiCall, project_id)

    def channel(self, id: str, project_id: str) -> Channel:
        return self._of_project("channel", id, Channel, project_id)

    def require_bot(self, id: str, project_id: str) -> None:
        """Raises NoRequest when the bot is known as another project's."""
        bot = self.bot(id)
        if bot is not None:
            _require("bot", bot, project_id)

    def bot(self, id: str) -> Bot | None:
        """The bot, if it is known; it only decorates payloads."""
        found = self._view.get("bot", id)
        return found if isinstance(found, Bot) else None

    def known_channel(self, id: str) -> Channel | None:
        """The channel, if it is known; for payloads that only show it."""
        found = self._view.get("channel", id)
        return found if isinstance(found, Channel) else None

    def known_endpoint(self, id: str) -> Endpoint | None:
        """The endpoint, if it is known; for its limits and its schedule."""
        found = self._view.get("endpoint", id)
        return found if isinstance(found, Endpoint) else None

    def endpoint_keys(self, endpoint: Endpoint) -> tuple[bytes, ...]:
        """The signing keys, the newest first: a delivery is signed with each."""

        def open_all() -> tuple[bytes, ...]:
            place = {"project": endpoint.project_id, "entity": endpoint.id, "field": "secrets"}
            return tuple(signing_key(self._open(sealed, **place)) for sealed in endpoint.secrets)

        return self._once("endpoint", endpoint.id, endpoint, open_all)

    def sent_values(self, entity: ApiCall | Endpoint) -> SentValues:
        """What an API call or endpoint sends along, in the clear. Raises NoRequest for a secret that there is not."""

        def open_them() -> SentValues:
            try:
                return sent_values(self._keys, entity)
            except SealError as error:
                raise NotYetKnown(str(error)) from error  # The operator may still give the key.

        values = self._once(f"{entity.KIND}{VALUES}", entity.id, entity, open_them)
        if not values.references:
            return values
        return with_secrets(values, lambda name: self.secret(entity.project_id, name, entity.url))

    def project_keys(self, project_id: str) -> tuple[bytes, ...]:
        """The keys that sign webhooks to inline URLs."""
        project = self._entity("project", project_id, Project)

        def open_it() -> tuple[bytes, ...]:
            place = {"project": project.id, "entity": project.id, "field": "signing_secret"}
            secrets = (project.signing_secret, *project.older_secrets)
            return tuple(signing_key(self._open(sealed, **place)) for sealed in secrets)

        return self._once("project", project.id, project, open_it)

    def credentials(self, channel: Channel) -> Mapping[str, str]:
        """A channel's credentials as the platform's module reads them."""

        def open_them() -> Mapping[str, str]:
            try:
                return open_credentials(self._keys, channel)
            except SealError as error:
                raise NotYetKnown(str(error)) from error  # The operator may still give the key.

        return self._once("channel", channel.id, channel, open_them)

    def secret(self, project_id: str, name: str, url: str) -> str:
        """The value of a project's named secret, for a request to `url`. Raises NoRequest when there is none for it."""
        secret = self._view.find("secret", "name", (project_id, name))
        if not isinstance(secret, Secret):
            raise NoRequest("exhausted", "no-secret", f"There is no secret named {name!r}.")
        if secret.hosts and origin_of(url) not in secret.hosts:
            raise NoRequest("exhausted", "secret-elsewhere", f"The secret {name!r} is not for this host.")
        place = {"project": project_id, "entity": secret.id, "field": "value"}
        return self._once("secret", secret.id, secret, lambda: self._open(secret.value, **place))

    def _of_project(self, kind: str, id: str, model: type[P], project_id: str) -> P:
        found = self._entity(kind, id, model)
        _require(kind, found, project_id)
        return found

    def _entity(self, kind: str, id: str, model: type[M]) -> M:
        found = self._view.get(kind, id)
        if isinstance(found, model):
            return found
        if self._view.deleted(kind, id):
            raise NoRequest(
                "cancelled", f"{kind.replace('_', '-')}-deleted", f"The {kind.replace('_', ' ')} was deleted."
            )
        raise NotYetKnown(f"{kind} {id}")

    def _once(self, kind: str, id: str, model: Model, make: Callable[[], T]) -> T:
        known = self._opened.get((kind, id))
        if known is not None and known[0] is model:
            return known[1]  # type: ignore[no-any-return]
        made = make()
        self._opened[kind, id] = (model, made)
        return made

    def _open(self, sealed: Sealed, *, project: str, entity: str, field: str) -> str:
        try:
            return self._keys.open_sealed(sealed, project=project, entity=entity, field=field).decode()
        except SealError as error:
            raise NotYetKnown(str(error)) from error  # The operator may still give the key.

    def forget(self, kind: str, id: str) -> None:
        """The entity changed or is gone."""
        self._opened.pop((kind, id), None)
        self._opened.pop((kind + VALUES, id), None)
