"""What is wrong with a document, and what goes wrong in a running node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding. `pointer` is a JSON pointer (RFC 6901) into the document, `message` says what to do about it."""

    pointer: str
    severity: Literal["error", "warning"]
    code: str
    message: str


class FlowInvalid(Exception):
    """The document cannot become a flow; `problems` say why."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(f"{p.pointer}: {p.message}" for p in problems if p.severity == "error"))
        self.problems = problems


class NodeError(Exception):
    """A node cannot do its work. Leaves by its `error` port, else by `on_error`; shown as `temp.error`."""

    def __init__(self, type: str, detail: str, status: int | None = None) -> None:
        super().__init__(f"{type}: {detail}")
        self.type = type
        self.detail = detail
        self.status = status

    def as_dict(self) -> dict[str, str | int | None]:
        """`{type, detail, status}`, the value of `temp.error`."""
        return {"type": self.type, "detail": self.detail, "status": self.status}


def pointer(*parts: str | int) -> str:
    """The JSON pointer of a path of keys and indexes."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)
