"""What `doctor` says of migrations and key-encryption keys."""

from __future__ import annotations

from operations.checks.databases import of_keys, of_revision
from operations.installation import Installation
from operations.sealed_keys import SealedWith
from servicekit.revisions import newest_of

HERE = Installation("switchhook-ops", "say where")


def test_tables_that_are_behind_name_the_verb_and_those_ahead_the_release() -> None:
    newest = newest_of("dispatcher")
    assert of_revision(HERE, "dispatcher", newest).fine
    for behind in (None, "0001"):
        check = of_revision(HERE, "dispatcher", behind)
        assert (check.fine, "`switchhook-ops migrate`" in check.advice) == (False, True)
    ahead = of_revision(HERE, "dispatcher", "9999")
    assert (ahead.fine, "of that release" in ahead.advice) == (False, True)


def test_secrets_of_a_key_that_nobody_was_given_are_to_be_mended() -> None:
    sealed = {"k1": SealedWith(3), "k2": SealedWith(7)}
    assert [check.fine for check in of_keys(HERE, sealed, ("k2", "k1"))] == [False, True]
    gone, current = of_keys(HERE, sealed, ("k2",))
    assert ("which is not in SWITCHHOOK_KEK" in gone.what, gone.fine, current.fine) == (True, False, True)
    assert all(check.fine for check in of_keys(HERE, sealed, ()))
