"""The files of deploy/ that are made from contracts are as contracts have it."""

import pytest

from devstack.deploy_files import DEPLOY, files


@pytest.mark.parametrize("path", files())
def test_what_is_committed_is_what_contracts_give(path: str) -> None:
    assert (DEPLOY / path).read_text() == files()[path], "run ./switchhook schemas"
