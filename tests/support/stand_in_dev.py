"""`python -m support.stand_in_dev FOLDER PORT`: `switchhook dev` with stand-ins for the services and the examples."""

import asyncio
import os
import sys
from pathlib import Path
from unittest.mock import patch

from devstack import dev
from devstack.paths import ROOT
from devstack.seed import Seed
from operations.services import MODULES


async def plant_nothing(_base_url: str, _admin_token: str, _file: Path) -> Seed:
    return Seed(project_id="p", token="t", bot_id="b", channel_id="c", trigger_id="r", session_id="s")


if __name__ == "__main__":
    os.environ["PYTHONPATH"] = str(ROOT / "tests")
    MODULES.update(dict.fromkeys(MODULES, "support.stand_in_service"))
    with patch("devstack.dev.plant", plant_nothing):
        asyncio.run(dev.run(Path(sys.argv[1]), port=int(sys.argv[2]), forget=False))
