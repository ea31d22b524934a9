"""The base of every record: frozen, tolerant of fields that a newer writer added."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """A record or a part of one. Unknown fields are ignored, so that readers may be older than writers."""

    model_config = ConfigDict(extra="ignore", frozen=True, ser_json_bytes="base64", val_json_bytes="base64")

    def encode(self) -> bytes:
        """The record's value on the wire: compact UTF-8 JSON, absent optionals left out."""
        return self.__pydantic_serializer__.to_json(self, exclude_none=True)
