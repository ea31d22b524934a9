"""Channels are found by their packages' entry points."""

from __future__ import annotations

import sys
from importlib.metadata import Distribution, EntryPoint, PathDistribution
from pathlib import Path

import pytest

from channels import discovery
from channels.descriptor import Credential, Descriptor
from channels.discovery import GROUP, BrokenConnector, installed, load
from channels.http import CONNECTOR as HTTP
from channels.port import Connector

TOY = Connector(Descriptor(type="toy", title="Toy", inbound_path="toys/{channel}"))
MISNAMED = Connector(Descriptor(type="other", title="Other"))
HOMELESS = Connector(Descriptor(type="toy", title="Toy"))
TWICE = Connector(Descriptor(type="toy", title="Toy", credentials=(Credential("a", "A"), Credential("a", "A"))))
NO_CONNECTOR = "toy"


def package(folder: Path, name: str, value: str) -> list[EntryPoint]:
    """The entry points of a distribution of that name, which brings the type `toy`."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\ntoy = {value}\n")
    return list(PathDistribution(info).entry_points)


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """This module, by a name that an entry point can have."""
    monkeypatch.setitem(sys.modules, "toys", sys.modules[__name__])


def test_ours_are_installed_in_order() -> None:
    found = installed()
    assert list(found) == sorted(found)
    assert {"http", "telegram", "webchat"} <= set(found)
    assert found["http"] is HTTP
    assert [name for name, connector in found.items() if connector.in_house] == ["http", "webchat"]


def test_packages_are_looked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Turns ask for each contact of a broadcast, pages for each channel of a contact; to look reads a file of each package."""
    found = installed()
    monkeypatch.setattr(discovery, "entry_points", pytest.fail)
    assert installed() is found


def test_every_channel_of_ours_passes_the_suite_for_channels() -> None:
    folders = {path.parent.name for path in Path(__file__).parent.glob("*/test_contract.py")}
    ours = {point.name for point in Distribution.from_name("switchhook-channels").entry_points if point.group == GROUP}
    assert folders == ours


def test_somebody_elses_is_found_like_ours(tmp_path: Path) -> None:
    assert load(package(tmp_path, "toy-channel", "toys:TOY")) == {"toy": TOY}


def test_two_packages_with_one_type_are_both_named(tmp_path: Path) -> None:
    both = package(tmp_path, "zoo", "toys:TOY") + package(tmp_path, "ark", "toys:TOY")
    with pytest.raises(BrokenConnector, match=r"'toy' comes from two packages, ark 1\.0 and zoo 1\.0: uninstall one"):
        load(both)


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("toys:NOWHERE", "toys:NOWHERE raises AttributeError"),
        ("no_such_module_anywhere:TOY", "raises ModuleNotFoundError"),
        ("toys:NO_CONNECTOR", "toys:NO_CONNECTOR is no channels.port.Connector"),
        ("toys:MISNAMED", "named otherwise than its type, 'other'"),
        ("toys:HOMELESS", "without a door that no other has; this one's is 'in'"),
        ("toys:TWICE", "two credentials have one name"),
    ],
)
def test_a_broken_package_is_named_with_what_is_wrong(tmp_path: Path, value: str, complaint: str) -> None:
    points = package(tmp_path, "toy-channel", value)
    with pytest.raises(BrokenConnector, match=rf"The channel 'toy' of toy-channel 1\.0 cannot be used.*{complaint}"):
        load(points)
