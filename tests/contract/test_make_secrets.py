"""deploy/compose/make-secrets.sh, without the containers that read what it makes."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("name", ["kek", "link_key", "postgres_password", "kafka_broker"])
def test_what_data_depend_on_is_not_made_anew_beside_what_is_there(tmp_path: Path, name: str) -> None:
    script = begun(tmp_path)
    (tmp_path / "secrets" / name).write_text("")
    refused = subprocess.run([script], check=False, capture_output=True, text=True)
    assert refused.returncode == 1
    assert f"gone or empty: {name}." in refused.stderr
    assert (tmp_path / "secrets" / name).read_text() == ""


def test_two_keys_that_seal_have_two_names(tmp_path: Path) -> None:
    script, kek = begun(tmp_path), tmp_path / "secrets" / "kek"
    first = kek.read_text()
    shutil.rmtree(tmp_path / "secrets")
    written_by(script)
    assert first.partition(":")[0] != kek.read_text().partition(":")[0]


def begun(folder: Path) -> Path:
    """The script, in a folder in which it has run."""
    shutil.copy(COMPOSE / ".env.example", folder)
    script = Path(shutil.copy(COMPOSE / "make-secrets.sh", folder))
    written_by(script)
    return script


def written_by(script: Path) -> str:
    """The settings after a run."""
    subprocess.run([script], check=True, capture_output=True)
    return (script.parent / ".env").read_text()
