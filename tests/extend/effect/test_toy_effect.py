"""A node with an effect, an action and a delivery kind of its own, from somebody else's package: no file of the product
knows of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.plugins import run_with, start_with

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def found() -> Any:
    return run_with(HERE / "bells", script=HERE / "ringing.py")


def test_its_requests_leave_and_are_tried_again_by_its_schedule(found: Any) -> None:
    ring = {"times": 2}
    assert found["requests"] == [
        ["POST", "https://ann.example/bell", ring],
        ["POST", "https://ann.example/bell", ring],
        ["POST", "https://bob.example/bell", ring],
    ]
    assert found["states"] == ["succeeded", "exhausted"]


def test_its_results_are_reported_and_its_node_goes_on_with_them(found: Any) -> None:
    at_the_door, nobody = found["results"]
    assert (at_the_door["kind"], at_the_door["outcome"], at_the_door["body"]) == ("call_result", "ok", {"who": "Ann"})
    assert (nobody["outcome"], nobody["error"]["type"]) == ("error", "nobody-home")
    assert found["said"] == [["Ann is at the door."], ["nobody-home"]]


def test_a_package_whose_kind_cannot_be_used_stops_the_start_by_its_name(tmp_path: Path) -> None:
    described = tmp_path / "gongs-2.0.dist-info"
    described.mkdir()
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: gongs\nVersion: 2.0\n")
    (described / "entry_points.txt").write_text("[switchhook.delivery_kinds]\ngong = gongs:KIND\n")
    started = start_with(tmp_path, arguments=("-c", "import dispatcher.kinds.table"))
    assert started.returncode != 0
    assert "gong = gongs:KIND of gongs 2.0 does not load: ModuleNotFoundError" in started.stderr
