from hashlib import sha256
from hmac import new

import pytest

from channels.proof import has_digest, is_signed, same_text

DIGEST = sha256(b"s3cret").hexdigest()
SIGNATURE = new(b"app-secret", b'{"a": 1}', sha256).hexdigest()


@pytest.mark.parametrize(
    ("given", "expected", "same"),
    [("s3cret", "s3cret", True), ("s3cre", "s3cret", False), ("", "", False), ("", None, False), ("ü", "ü", True)],
)
def test_a_secret_is_the_same_or_not_and_none_is_nobodys(given: str, expected: str | None, same: bool) -> None:
    assert same_text(given, expected) is same


@pytest.mark.parametrize(
    ("given", "digest", "has"),
    [("s3cret", DIGEST, True), ("other", DIGEST, False), ("", None, False), ("\u20ac", DIGEST, False)],
)
def test_a_digest_is_that_of_the_secret(given: str, digest: str | None, has: bool) -> None:
    assert has_digest(given, digest) is has


@pytest.mark.parametrize(
    ("body", "signature", "key", "signed"),
    [
        (b'{"a": 1}', SIGNATURE, "app-secret", True),
        (b'{"a":1}', SIGNATURE, "app-secret", False),
        (b'{"a": 1}', SIGNATURE, "other", False),
        (b'{"a": 1}', SIGNATURE[:-1], "app-secret", False),
        (b'{"a": 1}', "ü", "app-secret", False),
        (b"", new(b"", b"", sha256).hexdigest(), None, False),
    ],
)
def test_a_signature_is_that_of_the_raw_body(body: bytes, signature: str, key: str | None, signed: bool) -> None:
    assert is_signed(body, signature, key) is signed
