"""What ingress takes from its environment beside what every service takes."""

from __future__ import annotations

from pydantic import Field

from servicekit.settings import ServiceSettings


class Settings(ServiceSettings):
    """`SWITCHHOOK_` + the field's name. `link_key` is needed: generated URLs, tracked links and chat sessions hang on it."""

    bridge: bool = True
    """Whether this replica takes commands from `switchhook.commands.v1` too."""
    waiting_callers: int = Field(default=10000, gt=0)
    """Callers who wait for the engine's word in a replica at most, and as many beside them who listen to a chat (long polls,
    streams); a project has as many of each as are left."""
    attaches_per_second: int = Field(default=200, gt=0)
    """How many conversations of a project a replica attaches to in a second at most; more listeners get 503 and come again."""
