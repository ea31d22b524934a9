"""Files: what is read, what is refused, what is written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botfiles.cli import UNUSABLE, main
from botfiles.errors import CannotGoOn
from botfiles.folder import Export, read_folder
from botfiles.kinds import ENDPOINT, SEGMENT
from botfiles.remembered import read_remembered
from botfiles.things import CONTENT, Found
from botfiles.yaml_text import written
from flowlang.language.yaml_text import parse

TEXTS = st.text() | st.sampled_from(
    ["on", "no", "1", "1e5", "0o7", "0x1F", "~", "null", "true", "2026-11-21", "a\nb\n", " a\n"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**17), 10**17) | TEXTS,
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(TEXTS, inside, max_size=3),
    max_leaves=4,
)
BOT = "bots/shop/bot.yaml"
FLOW = "schema: flow/1\nslug: hello\nname: Hello\nstart: a\nnodes: {a: {type: end}}\n"


def folder_of(path: Path, **files: str) -> Path:
    for name, text in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text)
    return path


@given(st.dictionaries(TEXTS, VALUES, max_size=4))
def test_what_is_written_is_read_back_as_flow_documents_are_read(content: dict[str, Any]) -> None:
    assert parse(written(content)) == content


def test_a_text_is_the_same_whatever_the_order_was_and_programs_stay_readable() -> None:
    node = {"ports": {"next": "b"}, "source": "a = 1\nsend(a)\n", "type": "code"}
    assert written({"nodes": {"b": 1, "a": node}, "schema": "flow/1", "tests": [], "on_error": "on"}) == (
        "schema: flow/1\non_error: on\nnodes:\n  a:\n    type: code\n    source: |\n      a = 1\n      send(a)\n"
        "    ports:\n      next: b\n  b: 1\ntests: []\n"
    )


def test_a_folder_is_read_with_what_its_files_leave_out(tmp_path: Path) -> None:
    endpoint = "name: CRM\nurl: https://crm.example.com\nevents: [tag.*]\nbots: [z, a]\nrate_limit: {count: 2}\n"
    files = {BOT: "name: Shop", "bots/shop/flows/any.yaml": FLOW, "endpoints/e.yaml": endpoint}
    things = {each.name: each for each in read_folder(folder_of(tmp_path, **files))}
    assert list(things) == ["Shop", "Shop/hello", "CRM"]
    crm = things["CRM"].content
    assert (crm["events"], crm["bots"]) == (["tag.added", "tag.removed"], ["a", "z"])
    assert crm["rate_limit"] == {"count": 2, "per_seconds": 1}


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("segment/vip.yaml", "name: vip", "no file has its place here"),
        ("segments/vip.yaml", "name: vip", "'filter' is missing"),
        ("segments/vip.yaml", "name: vip\nfilter: 'true'\ncolour: red", "'colour' is no field"),
        ("segments/vip.yaml", "- vip", "a file is an object"),
        ("segments/vip.yaml", "a: [", "not YAML"),
        ("bots/shop/flows/hello.yaml", FLOW, "there is no bots/shop/bot.yaml"),
        ("bots/shop/flows/hello.yaml", FLOW.replace("start: a", "start: b"), "(/start)"),
        ("bots/shop/triggers/paid.yaml", "flow: hello\nentry: paid", "auth: url, or the name of a token"),
        ("endpoints/e.yaml", "name: e\nurl: https://e.example\nevents: 1", "'events' is a list of texts"),
    ],
)
def test_a_file_that_cannot_be_right_stops_everything(tmp_path: Path, name: str, text: str, says: str) -> None:
    with pytest.raises(CannotGoOn) as refused:
        read_folder(folder_of(tmp_path, **{name: text}))
    assert name in str(refused.value)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("segments/s.yaml", "name: [1]\nfilter: 'true'"),
        ("segments/s.yaml", "name: s\nfilter: 5"),
        ("endpoints/e.yaml", "name: e\nurl: https://e.example\nevents: {}"),
        ("endpoints/e.yaml", "name: e\nurl: https://e.example\nevents: ['*']\nbots: [1, {}]"),
        ("endpoints/e.yaml", "name: e\nurl: https://e.example\nevents: ['*']\nheaders: null"),
        ("api-calls/a.yaml", "name: a\nurl: [https://e.example]"),
        ("api-calls/a.yaml", "name: a\nurl: https://e.example\nauth: []"),
        ("bots/shop/triggers/t.yaml", "auth: url\nflow: hello\nentry: a\nchannel: [1]"),
    ],
)
def test_a_field_of_another_type_is_named(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(CannotGoOn, match=rf"{name}: the field '\w+' is (a|an) (text|object|list of texts)$"):
        read_folder(folder_of(tmp_path, **{BOT: "name: Shop", name: text}))


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "segments").mkdir()
    os.mkfifo(tmp_path / "segments/a.yaml")
    (tmp_path / "segments/b.yaml").symlink_to("/dev/zero")
    with pytest.raises(CannotGoOn, match=r"(?s)a\.yaml: this is no file.*b\.yaml: this is no file"):
        read_folder(tmp_path)


@pytest.mark.parametrize(
    "known", ["[]", '{"version": 1}', '{"version": 1, "entries": {"bot B": 5}}',
              '{"version": 1, "entries": {"bot B": {"id": "x", "parts": {"content": ["one"]}}}}']
)  # fmt: skip
def test_what_the_last_apply_has_left_is_as_it_was_written_or_refused(tmp_path: Path, known: str) -> None:
    folder_of(tmp_path, **{".applied/p.json": known})
    with pytest.raises(CannotGoOn, match="not as it was written: put back"):
        read_remembered(tmp_path, "p")


def test_two_files_of_one_thing_are_refused(tmp_path: Path) -> None:
    text = "name: vip\nfilter: 'true'"
    with pytest.raises(CannotGoOn, match=r"segments/a\.yaml is segment 'vip', too"):
        read_folder(
            folder_of(tmp_path, **{"segments/a.yaml": text, "segments/b.json": '{"name": "vip", "filter": "true"}'})
        )


def test_a_file_that_says_it_already_keeps_its_comments_and_one_that_does_not_its_name(tmp_path: Path) -> None:
    (mine,) = read_folder(folder_of(tmp_path, **{"segments/mine.yaml": "# ours\nname: vip\nfilter: 'true'\n"}))
    export = Export(tmp_path, [mine])
    assert export.write(Found(SEGMENT, "vip", "1", {CONTENT: mine.content}, {}), mine) == (mine, False)
    changed = Found(SEGMENT, "vip", "1", {CONTENT: mine.content | {"filter": "false"}}, {})
    assert export.write(changed, mine)[1]
    assert (tmp_path / "segments/mine.yaml").read_text() == "name: vip\nfilter: 'false'\n"


def test_names_that_make_the_same_file_name_have_files_of_their_own(tmp_path: Path) -> None:
    export = Export(tmp_path, [])
    content = {"name": "x", "url": "https://e.example", "events": ["*"]}
    for name in ("CRM!", "crm", "../..", "Ж"):
        export.write(Found(ENDPOINT, name, "1", {CONTENT: ENDPOINT.whole(content | {"name": name})}, {}), None)
    found = sorted(path.name for path in tmp_path.rglob("*.yaml"))
    assert found == ["crm-2.yaml", "crm.yaml", "unnamed-2.yaml", "unnamed.yaml"]
    assert {each.name for each in read_folder(tmp_path)} == {"CRM!", "crm", "../..", "Ж"}


def test_without_a_token_nothing_is_done(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("SWITCHHOOK_TOKEN", raising=False)
    monkeypatch.setenv("SWITCHHOOK_URL", "http://127.0.0.1:9")
    assert main(["apply", "-f", "bots"], "switchhook") == UNUSABLE
    assert "switchhook: say where" in capsys.readouterr().err
