"""`switchhook images`: builds the images of deploy/images with podman or docker, and puts the SBOM of each beside them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from devstack.errors import StackError
from devstack.paths import ROOT

IMAGES = ("ingress", "flow-engine", "dispatcher", "registry", "operations")
"""Targets of the Dockerfile, and the images' names."""
DOCKERFILE = "deploy/images/Dockerfile"
LABELS = "org.opencontainers.image"
SBOMS = ROOT / "dist" / "images"
SBOM_INSIDE = "/opt/switchhook/sbom.cdx.json"


def build_all(version: str, prefix: str, more: Sequence[str], tell: Callable[[str], None]) -> None:
    """Build `prefix/<name>:version` of each, `more` being words for `build`; a line for each. StackError when one fails."""
    engine = container_engine()
    SBOMS.mkdir(parents=True, exist_ok=True)
    for name in IMAGES:
        image = f"{prefix}/{name}:{version}"
        build(engine, name, image, version, more)
        sbom = copy_sbom(engine, image, SBOMS / f"{name}-{version}.cdx.json")
        tell(f"{image}: {size_of(engine, image) / 1e6:.0f} MB; {sbom.relative_to(ROOT)}")


def container_engine() -> str:
    """`podman` or `docker`. StackError when neither is installed."""
    found = next((each for each in ("podman", "docker") if shutil.which(each)), None)
    if found is None:
        raise StackError("Images are built by podman or docker, and neither is installed: install one of them.")
    return found


def build(engine: str, target: str, image: str, version: str, more: Sequence[str]) -> None:
    """One image. Podman's own format has no health checks, docker's has. What differs each time comes last, so that layers stay."""
    form = ["--format", "docker"] if engine == "podman" else []
    labels = [f"--label={LABELS}.{name}={value}" for name, value in (("version", version), ("revision", revision()))]
    told = [engine, "build", *form, "--file", DOCKERFILE, "--target", target, "--tag", image, *labels, *more, "."]
    made = subprocess.run(told, cwd=ROOT, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if made.returncode:
        said = "\n".join((made.stdout + made.stderr).strip().splitlines()[-15:])
        raise StackError(f"{image} could not be built: {said}")


def revision() -> str:
    """The commit of the checkout; `unknown` outside of one."""
    made = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    return made.stdout.strip() or "unknown"


def copy_sbom(engine: str, image: str, file: Path) -> Path:
    """The SBOM (CycloneDX) that the build left in the image, out of it."""
    container = said_by(engine, "create", image)
    try:
        said_by(engine, "cp", f"{container}:{SBOM_INSIDE}", str(file))
    finally:
        said_by(engine, "rm", container)
    return file


def size_of(engine: str, image: str) -> int:
    """Bytes of all layers, unpacked."""
    return int(said_by(engine, "image", "inspect", "--format", "{{.Size}}", image))


def said_by(engine: str, *words: str) -> str:
    """What a command of the engine wrote. StackError when it failed."""
    made = subprocess.run([engine, *words], capture_output=True, text=True, check=False)
    if made.returncode:
        raise StackError(f"{engine} {' '.join(words)} failed: {made.stderr.strip()[-500:]}")
    return made.stdout.strip()
