"""`switchhook images`: what is said where nothing builds images."""

import shutil

import pytest

from devstack.errors import StackError
from devstack.images import container_engine


def test_without_podman_and_docker_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(StackError, match="podman or docker"):
        container_engine()


def test_podman_is_taken_before_docker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    assert container_engine() == "podman"
