"""`file`: a picture, video, recording or other file, as the channel names it. It is not fetched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from flowlang.building.compiler import Compiler
from flowlang.expressions.scopes import Scopes
from flowlang.inputs.base import Answer, Free, Input, Invalid, Reader, attachment_of

Kind = Literal["image", "video", "audio", "file"]
KINDS: dict[str, Kind] = {
    "image": "image", "photo": "image", "sticker": "image",
    "video": "video", "animation": "video", "video_note": "video",
    "audio": "audio", "voice": "audio",
    "file": "file", "document": "file",
}  # fmt: skip
"""What a channel calls an attachment, and which kind that is. A `file` may still be an image: its `mime` says so."""
KEPT = ("url", "file_id", "file_unique_id", "name", "mime", "size", "duration")


class FileInput(Input):
    """A file. Keeps an object: `type`, and of `url` or `file_id`, `name`, `mime`, `size` (bytes), `duration` (seconds), `caption`
    what the channel tells. Of several that come in one message, the first."""

    type: Literal["file"]
    """A picture, video, recording or other file; an object is kept: `type` (image, video, audio, file), and `url` or
    `file_id`, `name`, `mime`, `size`, `duration`, `caption` as far as they are told."""
    kinds: tuple[Kind, ...] = Field(default=("image", "video", "audio", "file"), min_length=1)
    """What is taken: `image`, `video`, `audio`, `file`; a file counts as what its MIME type says."""
    max_size: int | None = Field(default=None, ge=1)
    """The most bytes that are taken; where a channel does not tell a size, it is taken."""

    def build(self, compiler: Compiler) -> Reader:
        return _FileReader(frozenset(self.kinds), self.max_size)


@dataclass(frozen=True, slots=True)
class _FileReader(Free):
    kinds: frozenset[str]
    most: int | None

    def read(self, message: dict[str, Any], tapped: str | None, scopes: Scopes) -> Answer:
        found = attachment_of(message, *KINDS)
        if found is None:
            raise Invalid("a file is expected")
        kind = _kind(found)
        if kind not in self.kinds:
            raise Invalid(f"{' or '.join(sorted(self.kinds))} is expected")
        size = found.get("size")
        if self.most is not None and isinstance(size, int) and size > self.most:
            raise Invalid(f"at most {self.most} bytes are taken")
        kept = {name: found[name] for name in KEPT if found.get(name) is not None}
        caption = message.get("text")
        return Answer({"type": kind, **kept, **({"caption": caption} if isinstance(caption, str) and caption else {})})


def _kind(found: dict[str, Any]) -> Kind:
    kind = KINDS[found["type"]]
    of_mime = KINDS.get(str(found.get("mime")).partition("/")[0])
    return of_mime if kind == "file" and of_mime else kind
