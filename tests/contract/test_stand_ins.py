"""What stands in for the official images in tests has the names and versions that the files under deploy/ use."""

from containers.bases import CADDY, OFFICIAL
from devstack.paths import ROOT

USED_IN = (ROOT / "deploy/compose/compose.yaml", ROOT / "deploy/images/Dockerfile")


def test_each_has_a_name_that_is_used() -> None:
    used = "".join(file.read_text() for file in USED_IN)
    assert [name for name in OFFICIAL.values() if name not in used] == []


def test_caddy_is_built_in_the_version_that_its_image_has() -> None:
    image, module = OFFICIAL["caddy"].rpartition(":")[2], CADDY.rpartition("@v")[2]
    assert module.startswith(f"{image}.")
