"""What other packages declare is found in a fixed order; what cannot be used is refused by the package's name."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flowlang.building.discovery import BrokenPlugin, discovered
from flowlang.nodes.base import NodeModel

GROUP = "switchhook.test_nodes"
MODEL = """
from typing import Literal
from flowlang.nodes.base import NodeModel

class Model(NodeModel):
    type: Literal["{}"]
"""
Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """`install(package, module text, entry point=object …)`: a package on the path."""

    def make(name: str, source: str, **points: str) -> None:
        folder = tmp_path / name
        info = folder / f"{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (folder / f"{name}_module.py").write_text(source)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        lines = [f"{point} = {name}_module:{target}" for point, target in points.items()]
        (info / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *lines, ""]))
        monkeypatch.syspath_prepend(str(folder))

    return make


def refused(*said: str) -> Any:
    return pytest.raises(BrokenPlugin, match=".*".join(map(re.escape, said)))


def test_models_are_sorted_by_their_names_wherever_they_come_from(install: Install) -> None:
    install("plugin_b", MODEL.format("apple"), apple="Model")
    install("plugin_a", MODEL.format("pear"), pear="Model")
    assert list(discovered(GROUP, NodeModel)) == ["apple", "pear"]


def test_one_name_of_two_packages_is_refused_with_both(install: Install) -> None:
    install("plugin_c", MODEL.format("plum"), plum="Model")
    install("plugin_d", MODEL.format("plum"), plum="Model")
    with refused("'plum' is declared by plugin_c 1.0 and plugin_d 1.0"):
        discovered(GROUP, NodeModel)


def test_a_module_that_does_not_load_is_refused_with_its_error(install: Install) -> None:
    install("plugin_e", "import no_such_module", fig="Model")
    with refused("fig = plugin_e_module:Model of the package plugin_e 1.0 does not load", "no_such_module"):
        discovered(GROUP, NodeModel)


def test_what_is_no_node_is_refused(install: Install) -> None:
    install("plugin_f", "Model = 7", lime="Model")
    with refused("plugin_f 1.0 is no subclass of flowlang.nodes.base.NodeModel"):
        discovered(GROUP, NodeModel)


def test_a_model_of_another_name_is_refused(install: Install) -> None:
    install("plugin_g", MODEL.format("lemon"), grape="Model")
    with refused("plugin_g 1.0 needs the field `type: Literal['grape']`"):
        discovered(GROUP, NodeModel)


def test_an_installation_without_any_is_refused() -> None:
    with refused("switchhook.nothing: no package declares any"):
        discovered("switchhook.nothing", NodeModel)
