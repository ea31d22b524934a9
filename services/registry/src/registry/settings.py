"""What this service takes from its environment."""

from __future__ import annotations

from servicekit.settings import ServiceSettings


class Settings(ServiceSettings):
    """Needs `database`, `kek` and `link_key`."""

    port: int = 8083
