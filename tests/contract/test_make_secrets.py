"""deploy/compose/make-secrets.sh, without the containers that read what it makes."""

import re
import shutil
import subprocess
from pathlib import Path

from devstack.paths import ROOT

COMPOSE = ROOT / "deploy" / "compose"


def test_an_env_that_was_copied_by_hand_gets_a_cluster_id_once(tmp_path: Path) -> None:
    shutil.copy(COMPOSE / "make-secrets.sh", tmp_path)
    shutil.copy(COMPOSE / ".env.example", tmp_path / ".env")
    made = [written_by(tmp_path / "make-secrets.sh") for _ in range(2)]
    assert made[0] == made[1]
    written = made[0]
    assert re.search(r"(?m)^KAFKA_CLUSTER_ID=[\w-]{22}$", written)
    assert re.sub(r"(?m)^KAFKA_CLUSTER_ID=.*$", "KAFKA_CLUSTER_ID=", written) == (COMPOSE / ".env.example").read_text()


def written_by(script: Path) -> str:
    """The settings after a run."""
    subprocess.run([script], check=True, capture_output=True)
    return (script.parent / ".env").read_text()
