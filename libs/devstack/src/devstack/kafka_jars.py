"""Apache Kafka's jars: a pinned list, fetched once from the Maven repository that jgo knows.

`python -m devstack.kafka_jars` resolves the list anew and prints it (into `kafka_jars.txt`): one line a jar,
`group:artifact:version sha256`.
"""

import hashlib
import logging
import shutil
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests
from jgo.maven import Component, Dependency, MavenContext

from devstack.errors import StackError
from devstack.paths import cache_dir

KAFKA_VERSION = "4.3.1"  # The latest of which Maven Central serves every jar; of 4.4.0 it lacks kafka-tools-api.
SERVER = f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}"
PINNED = Path(__file__).with_name("kafka_jars.txt")
DOWNLOADS_AT_ONCE = 8
ATTEMPTS = 3
NOT_SERVED = (requests.RequestException, RuntimeError)
"""No answer, or (jgo's RuntimeError) an answer that is not the file."""

log = logging.getLogger(__name__)


def jar_folder() -> Path:
    """The folder that holds exactly the pinned jars; they are downloaded on first use."""
    pinned = PINNED.read_bytes()
    folder = cache_dir() / f"kafka-{KAFKA_VERSION}-{hashlib.sha256(pinned).hexdigest()[:12]}"
    if not folder.is_dir():
        log.info("Downloading Apache Kafka %s (once, about 40 MB).", KAFKA_VERSION)
        fetch(pinned.decode().splitlines(), folder)
    return folder


def fetch(pins: Iterable[str], folder: Path) -> None:
    """Download the pinned jars beside `folder` and move them there when all are whole."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".kafka-") as scratch:
        jars = Path(scratch) / "jars"
        jars.mkdir()
        try:
            with ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool:
                list(pool.map(lambda pin: fetch_jar(pin, jars), pins))
        except NOT_SERVED as error:
            raise StackError(
                "Apache Kafka could not be downloaded from the Maven repository: check the network or proxy settings, "
                f"or set SWITCHHOOK_KAFKA to a running broker ({type(error).__name__})."
            ) from error
        except OSError as error:
            raise StackError(
                f"Apache Kafka could not be stored in {folder.parent} ({error.strerror}): free some disk."
            ) from error
        if not folder.is_dir():  # Another run may have finished first.
            jars.replace(folder)


def fetch_jar(pin: str, jars: Path) -> None:
    """Download one jar into `jars`; a failed attempt is repeated from the beginning."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with tempfile.TemporaryDirectory(dir=jars.parent) as repository:
                fetch_once(pin, MavenContext(repo_cache=Path(repository), timeout=60), jars)
            return
        except NOT_SERVED:
            if attempt == ATTEMPTS:
                raise
            log.info("Downloading %s failed; trying again.", pin.split()[0])


def fetch_once(pin: str, context: MavenContext, jars: Path) -> None:
    """Download one jar and move it into `jars`. StackError when it is not the pinned file."""
    coordinate, expected = pin.split()
    downloaded = component(context, coordinate).artifact().resolve()
    if hashlib.sha256(downloaded.read_bytes()).hexdigest() != expected:
        raise StackError(
            f"The downloaded {coordinate} is not the pinned file: check what stands between you and Maven Central."
        )
    shutil.move(downloaded, jars / downloaded.name)


def component(context: MavenContext, coordinate: str) -> Component:
    """jgo's name for `group:artifact:version`."""
    group, artifact, version = coordinate.split(":")
    return context.project(group, artifact).at_version(version)


def resolve() -> list[str]:
    """The pins of everything that Kafka's server needs at run time, and the bridge from its log calls to log4j."""
    with tempfile.TemporaryDirectory() as scratch:
        context = MavenContext(repo_cache=Path(scratch), timeout=60)
        server = Dependency(component(context, SERVER).artifact())
        _, transitive = context.resolver.resolve([server])
        log4j = next(dependency.version for dependency in transitive if dependency.artifactId == "log4j-core")
        # Not resolved together with the server: jgo would then let the bridge's parent choose Kafka's versions.
        bridge = Dependency(component(context, f"org.apache.logging.log4j:log4j-slf4j-impl:{log4j}").artifact())
        return sorted(pin_of(dependency) for dependency in (server, bridge, *transitive))


def pin_of(dependency: Dependency) -> str:
    """The line of the list for one jar, downloaded to be hashed."""
    coordinate = f"{dependency.groupId}:{dependency.artifactId}:{dependency.version}"
    return f"{coordinate} {hashlib.sha256(dependency.artifact.resolve().read_bytes()).hexdigest()}"


if __name__ == "__main__":
    print("\n".join(resolve()))
