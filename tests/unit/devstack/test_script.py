"""./switchhook, run in an empty checkout whose uv, python3 and pip are stand-ins that write down their arguments."""

import os
import subprocess
from pathlib import Path

import pytest

from devstack.paths import ROOT

VENV_PYTHON = '#!/bin/sh\necho "ran $*"\n'
UV = """#!/bin/sh
echo "uv $*" >>"$CALLS"
echo "$UV_PYTHON_DOWNLOADS ${UV_CACHE_DIR:-}" >>"$CALLS.env"
if [ "$1" = venv ]; then mkdir -p .venv/bin && cp "$STUBS/venv-python" .venv/bin/python; fi
[ "$1 ${2:-}" != "${UV_FAILS:-}" ]
"""
PYTHON3_WITH_PIP = """#!/bin/sh
echo "python3 $*" >>"$CALLS"
mkdir -p .switchhook/boot/bin && cp "$STUBS/uv-to-fetch" .switchhook/boot/bin/uv
"""
PYTHON3_WITHOUT_PIP = '#!/bin/sh\necho "python3 $*" >>"$CALLS"\nexit 1\n'


class Checkout:
    """A folder with the script and what it reads; `path` is all the PATH it sees besides the basic tools."""

    def __init__(self, folder: Path) -> None:
        self.root, self.path, self.stubs = folder / "a checkout", folder / "path", folder / "stubs"
        for part in (
            self.path,
            self.stubs,
            self.root / "contracts",
            self.root / "libs/kit",
            self.root / "services/one",
            self.root / "sdk/python",
        ):
            part.mkdir(parents=True)
        for name in (
            "pyproject.toml",
            "contracts/pyproject.toml",
            "libs/kit/pyproject.toml",
            "services/one/pyproject.toml",
            "sdk/python/pyproject.toml",
        ):
            (self.root / name).write_text(f"# {name}\n")
        (self.root / "requirements.lock").write_text("# pins\n")
        self.write(self.root / "switchhook", (ROOT / "switchhook").read_text())
        self.write(self.stubs / "venv-python", VENV_PYTHON)
        self.write(self.stubs / "uv-to-fetch", UV)
        for tool in ("sh", "dirname", "cat", "cksum", "mkdir", "cp"):
            found = next(Path(folder) / tool for folder in os.defpath.split(":") if (Path(folder) / tool).exists())
            (self.path / tool).symlink_to(found)

    @staticmethod
    def write(file: Path, script: str) -> None:
        file.write_text(script)
        file.chmod(0o755)

    def run(self, *arguments: str, folder: Path = Path("/"), **env: str) -> subprocess.CompletedProcess[str]:
        known = {
            "PATH": str(self.path),
            "HOME": str(self.stubs),
            "CALLS": str(self.stubs / "calls"),
            "STUBS": str(self.stubs),
        }
        command = [str(self.root / "switchhook"), *arguments]
        return subprocess.run(command, env=known | env, cwd=folder, capture_output=True, text=True, check=False)

    def calls(self) -> list[str]:
        file = self.stubs / "calls"
        return file.read_text().splitlines() if file.exists() else []


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_uv_on_the_path_installs_the_lock_and_then_the_members(checkout: Checkout) -> None:
    checkout.write(checkout.path / "uv", UV)
    done = checkout.run("dev", "--port", "1")
    assert (done.returncode, done.stdout) == (0, "ran -m devstack dev --port 1\n")
    venv, sync, members = checkout.calls()
    assert venv.startswith("uv venv ")
    assert sync.endswith("--require-hashes requirements.lock")
    assert members.endswith(
        "--editable ./contracts --editable ./libs/kit --editable ./services/one --editable ./sdk/python"
    )
    assert "--no-deps" in members


def test_a_second_start_installs_nothing(checkout: Checkout) -> None:
    checkout.write(checkout.path / "uv", UV)
    checkout.run()
    before = checkout.calls()
    assert checkout.run().stdout == "ran -m devstack\n"
    assert checkout.calls() == before


@pytest.mark.parametrize("verb", ["apply", "export", "flow"])
def test_verbs_that_take_files_run_where_they_were_called(checkout: Checkout, tmp_path: Path, verb: str) -> None:
    checkout.write(checkout.path / "uv", UV)
    checkout.write(checkout.stubs / "venv-python", '#!/bin/sh\necho "ran $* in $PWD"\n')
    caller = tmp_path / "my bots"
    caller.mkdir()
    assert checkout.run(verb, "x", folder=caller).stdout == f"ran -P -m devstack {verb} x in {caller.resolve()}\n"
    assert checkout.run("dev", folder=caller).stdout == f"ran -m devstack dev in {checkout.root.resolve()}\n"


@pytest.mark.parametrize("changed", ["requirements.lock", "libs/kit/pyproject.toml"])
def test_a_change_of_what_is_installed_installs_again_into_the_same_environment(
    checkout: Checkout, changed: str
) -> None:
    checkout.write(checkout.path / "uv", UV)
    checkout.run()
    first = len(checkout.calls())
    (checkout.root / changed).write_text("# changed\n")
    checkout.run()
    assert [call.split()[1:3] for call in checkout.calls()[first:]] == [["pip", "sync"], ["pip", "install"]]


def test_an_installation_that_failed_is_tried_again(checkout: Checkout) -> None:
    checkout.write(checkout.path / "uv", UV)
    failed = checkout.run(UV_FAILS="pip sync")
    assert failed.returncode == 1
    assert failed.stderr.splitlines()[-1].startswith(
        "switchhook: The packages of requirements.lock could not be installed"
    )
    assert checkout.run().returncode == 0


def test_uv_is_fetched_with_the_machines_pip_when_it_is_not_there(checkout: Checkout) -> None:
    checkout.write(checkout.path / "python3", PYTHON3_WITH_PIP)
    assert checkout.run().stdout == "ran -m devstack\n"
    fetch, *_ = checkout.calls()
    assert fetch.startswith("python3 -m pip install")
    assert "--target" in fetch
    fetched = len([call for call in checkout.calls() if call.startswith("python3")])
    (checkout.root / "requirements.lock").write_text("# changed\n")
    checkout.run()
    assert len([call for call in checkout.calls() if call.startswith("python3")]) == fetched


def test_without_pip_and_venv_one_sentence_names_what_to_install(checkout: Checkout) -> None:
    checkout.write(checkout.path / "python3", PYTHON3_WITHOUT_PIP)
    done = checkout.run()
    assert done.returncode == 1
    assert "install uv or pip for Python (Debian: python3-venv)" in done.stderr.splitlines()[-1]
    assert any(call.startswith("python3 -m venv") for call in checkout.calls())


def test_without_python_one_sentence_says_so(checkout: Checkout) -> None:
    done = checkout.run()
    assert (done.returncode, done.stderr) == (
        1,
        "switchhook: Python 3.11 or newer is needed: install it and run this again.\n",
    )


def test_no_interpreter_is_downloaded_and_a_home_that_cannot_be_written_is_no_obstacle(checkout: Checkout) -> None:
    checkout.write(checkout.path / "uv", UV)
    assert checkout.run(HOME="/proc/nowhere").returncode == 0
    seen = (checkout.stubs / "calls.env").read_text().splitlines()
    assert set(seen) == {f"never {checkout.root}/.switchhook/cache/uv"}
