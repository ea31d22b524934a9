"""Fetching Kafka: from a repository that is a stand-in on this machine."""

import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import jgo.maven
import pytest

from devstack import kafka_jars
from devstack.errors import StackError
from devstack.ports import HOST

JAR = b"the jar"
PIN = f"org.example:part:1.0 {hashlib.sha256(JAR).hexdigest()}"


class Repository(http.server.BaseHTTPRequestHandler):
    """Serves one jar under every path; `failures` requests before that are answered 502."""

    failures: ClassVar[int] = 0
    body: ClassVar[bytes] = JAR

    def do_GET(self) -> None:
        fails = self.path.endswith(".jar") and Repository.failures > 0
        Repository.failures -= int(fails)
        body = hashlib.sha1(JAR).hexdigest().encode() if self.path.endswith(".sha1") else Repository.body
        self.send_response(502 if fails else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(Repository, "failures", 0)
    server = http.server.ThreadingHTTPServer((HOST, 0), Repository)
    address = f"http://{HOST}:{server.server_port}"
    monkeypatch.setattr(
        kafka_jars,
        "MavenContext",
        lambda **options: jgo.maven.MavenContext(remote_repos={"here": address}, **options),
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.usefixtures("repository")
def test_jars_appear_together_and_nothing_else_is_left(tmp_path: Path) -> None:
    kafka_jars.fetch([PIN], tmp_path / "jars")
    assert [file.relative_to(tmp_path) for file in tmp_path.rglob("*")] == [Path("jars"), Path("jars/part-1.0.jar")]
    assert (tmp_path / "jars/part-1.0.jar").read_bytes() == JAR


@pytest.mark.usefixtures("repository")
def test_a_failed_download_is_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Repository, "failures", kafka_jars.ATTEMPTS - 1)
    kafka_jars.fetch([PIN], tmp_path / "jars")
    assert (tmp_path / "jars/part-1.0.jar").exists()


@pytest.mark.usefixtures("repository")
def test_a_repository_that_does_not_serve_it_leaves_nothing_and_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Repository, "failures", kafka_jars.ATTEMPTS)
    with pytest.raises(StackError, match="check the network or proxy settings, or set SWITCHHOOK_KAFKA"):
        kafka_jars.fetch([PIN], tmp_path / "jars")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("repository")
def test_another_file_than_the_pinned_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="is not the pinned file"):
        kafka_jars.fetch([f"org.example:part:1.0 {'0' * 64}"], tmp_path / "jars")
    assert list(tmp_path.iterdir()) == []
