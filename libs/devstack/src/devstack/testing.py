"""`switchhook test`: what pytest is told, so that the plain words are gates: the checks are among the tests."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence

from devstack.errors import StackError
from devstack.paths import ROOT

FAST = ("tests/checks", "tests/unit", "tests/contract", "tests/bombs")
COMPONENT = "tests/component"
HELM_TOOLS = ("helm", "kubectl-validate", "kube-score", "go")
NOT_SLOW = ("-m", "not slow")
OPT_IN = ("--ignore=tests/containers", "--ignore=tests/observability")
"""What runs only when it is named: it needs programs that a checkout does not bring."""
PROMETHEUS_TOOLS = {"promtool": "prometheus", "prometheus": "prometheus"}
"""Program -> the Debian package that has it."""
SLOW = ("-m", "slow or hypothesis", "--hypothesis-profile=slow", *OPT_IN)
"""Hypothesis marks its tests itself; they try more here."""
SHARED = ("--numprocesses=2", "--dist=loadfile", "--no-loadscope-reorder")
"""Two workers, each with a Kafka and a PostgreSQL of its own; tests/support/suite says who gets what."""
CONTAINERS = ("tests/containers", "--capture=no", "--timeout=2400")
"""Sizes, times and what the story tells are to be seen."""
CONTAINER_PROGRAMS = {
    "podman": "podman", "runc": "runc", "netavark": "netavark", "aardvark-dns": "aardvark-dns", "iptables": "iptables",
    "openssl": "openssl", "curl": "curl", "go": "golang-go",
}  # fmt: skip
"""Program -> the Debian package that has it."""
HELPERS = (
    "/usr/lib/podman",
    "/usr/libexec/podman",
    "/usr/local/libexec/podman",
    "/usr/sbin",
    "/sbin",
    "/usr/local/go/bin",
)
"""Where programs lie that are not on everybody's PATH."""
LIMIT = "--limit-seconds=15"
"""For a test that does not say how long it may take."""


def helm_tests() -> str:
    """The folder of the Helm chart's tests. StackError when what they run is neither on PATH nor in SWITCHHOOK_TOOLS."""
    places = os.pathsep.join((os.environ.get("PATH", ""), os.environ.get("SWITCHHOOK_TOOLS", "")))
    if missing := [tool for tool in HELM_TOOLS if shutil.which(tool, path=places) is None]:
        raise StackError(
            f"The tests of the Helm chart need {', '.join(missing)} on PATH or in the folder that SWITCHHOOK_TOOLS names: "
            "docs/how-to/deploy-helm.md says where they come from."
        )
    return "tests/helm"


def observability_tests() -> str:
    """The folder of the tests on a real Prometheus. StackError when it is not on PATH."""
    if missing := sorted({package for tool, package in PROMETHEUS_TOOLS.items() if shutil.which(tool) is None}):
        raise StackError(
            f"The tests of dashboards and alerts need what is not here: apt-get install {' '.join(missing)}."
        )
    return "tests/observability"


def pytest_arguments(words: Sequence[str]) -> list[str]:
    """What pytest gets for the words after `switchhook test`; options among them come last and win.

    Words that pick tests run in one process: output and debugger are where they are expected.
    """
    kind, *rest = words or [""]
    if kind == "fast":
        return [*FAST, *NOT_SLOW, *SHARED, LIMIT, *rest]
    if kind == "helm":
        return [helm_tests(), *rest]
    if kind == "observability":
        return [observability_tests(), *rest]
    if kind == "slow":
        return [*SLOW, *SHARED, *rest]
    if kind == "containers":
        return [*CONTAINERS, *rest]
    return [*NOT_SLOW, *(() if words else (*OPT_IN, *SHARED, LIMIT)), *words]


def run_tests(words: Sequence[str], *, contained: bool = False) -> int:
    """Run the tests that the words name; pytest's exit code. `contained`: on servers in containers, one pair for all of them, and
    so in one process; without words the component tests.

    What Python compiles is kept, also where PYTHONDONTWRITEBYTECODE asks for the opposite: without it each of some hundred
    processes, most of them services that are started anew, compiles our code for itself.
    """
    if words and words[0] == "containers":
        require_containers()
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    module = "support.contained" if contained else "pytest"
    if contained:
        env["PYTHONPATH"] = os.pathsep.join([str(ROOT / "tests"), env.get("PYTHONPATH", "")])
        words = words or [COMPONENT]
    command = [sys.executable, "-m", module, *pytest_arguments(words)]
    return subprocess.run(command, cwd=ROOT, env=env, check=False).returncode


def require_containers() -> None:
    """StackError when something is missing that containers need."""
    path = os.pathsep.join([os.environ.get("PATH", ""), *HELPERS])
    missing = [package for program, package in CONTAINER_PROGRAMS.items() if not shutil.which(program, path=path)]
    if missing:
        raise StackError(f"The tests in containers need what is not here: apt-get install {' '.join(missing)}.")
    if os.geteuid() != 0:
        raise StackError("The tests in containers make networks and end processes in containers: run them as root.")
