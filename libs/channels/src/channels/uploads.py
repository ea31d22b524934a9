"""Bodies that carry files."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import NamedTuple


class File(NamedTuple):
    """One file of a form. `name` is the form's field."""

    name: str
    filename: str
    media_type: str
    data: bytes


def multipart(file: File, fields: Mapping[str, str] | None = None) -> tuple[str, bytes]:
    """(Content-Type, body) of a multipart/form-data request. The same input gives the same bytes.

    The boundary is a digest of the data, so that the data cannot contain it.
    """
    boundary = sha256(file.data).hexdigest()
    parts = [_part(boundary, f'name="{_quoted(name)}"', value.encode()) for name, value in (fields or {}).items()]
    head = f'name="{_quoted(file.name)}"; filename="{_quoted(file.filename)}"'
    parts.append(_part(boundary, f"{head}\r\nContent-Type: {_plain(file.media_type)}", file.data))
    return f"multipart/form-data; boundary={boundary}", b"".join(parts) + f"--{boundary}--\r\n".encode()


def _part(boundary: str, head: str, data: bytes) -> bytes:
    return f"--{boundary}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + data + b"\r\n"


def _quoted(text: str) -> str:
    """A name as browsers write it in a form (WHATWG HTML, multipart/form-data encoding)."""
    return text.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")


def _plain(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable())
