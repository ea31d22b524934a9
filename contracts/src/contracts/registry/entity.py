"""What all kinds of entities have in common, and how a secret is kept in one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, TypeAlias

from pydantic import Field

from contracts.model import Model

Indexes: TypeAlias = Mapping[str, tuple[str, ...]]
"""Name of an index -> the fields that it is by; one of several fields is looked up by a tuple."""


class Entity(Model):
    """Something that the registry keeps and tells everybody about. Each kind is one subclass in one module of this package.

    `KIND` is its word in records and keys. `INDEXES`: what services look it up by beside its id.
    """

    KIND: ClassVar[str]
    INDEXES: ClassVar[Indexes] = {}

    @property
    def entity_id(self) -> str:
        """Its id among those of its kind."""
        raise NotImplementedError

    @property
    def owner_id(self) -> str:
        """The project that it belongs to."""
        raise NotImplementedError

    @property
    def unique_name(self) -> str | None:
        """What no other living entity of its kind may have, None where there is nothing like that."""
        return None


class Owned(Entity):
    """An entity of a project, with an id of its own."""

    id: str
    project_id: str

    @property
    def entity_id(self) -> str:
        return self.id

    @property
    def owner_id(self) -> str:
        return self.project_id


HIDDEN = "[hidden]"
"""Stands for a value that is not shown."""


def in_project(project_id: str, name: str) -> str:
    """The unique name of what is named once in a project."""
    return f"{project_id}/{name}"


class Sealed(Model):
    """AES-256-GCM under a data key that is wrapped by the KEK `kek_id`. All base64.

    The AAD is `project|entity|field|version`: the ids of both, the name of the field that holds it (`credentials`,
    `signing_secret`, `secrets`, `value`, `sealed`), and how many values the field has had. Version 0, of releases that did
    not count, has the AAD `project|entity|field`.
    """

    version: int = Field(default=0, ge=0)

    kek_id: str
    wrapped_key: str
    nonce: str
    ciphertext: str
