"""What does not go together is refused at the start, in a sentence that names the setting."""

import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import ValidationError

from servicekit.settings import KafkaSettings

LOGIN = {"kafka_sasl_mechanism": "SCRAM-SHA-512", "kafka_user": "bob", "kafka_password": "hunter22"}


def settings(**given: object) -> KafkaSettings:
    return KafkaSettings.model_validate(given)


@pytest.mark.parametrize("protocol", ["SASL_PLAINTEXT", "SASL_SSL"])
@pytest.mark.parametrize("missing", sorted(LOGIN))
def test_a_login_needs_all_of_its_parts(protocol, missing):
    given = {name: value for name, value in LOGIN.items() if name != missing}
    with pytest.raises(ValidationError, match=f"SWITCHHOOK_{missing.upper()} is needed with .*={protocol}"):
        settings(kafka_security_protocol=protocol, **given)


@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SSL"])
@pytest.mark.parametrize("name", sorted(LOGIN))
def test_a_login_without_sasl_is_refused(protocol, name):
    with pytest.raises(ValidationError, match=f"SWITCHHOOK_{name.upper()} is set, but .*={protocol} has no login"):
        settings(kafka_security_protocol=protocol, **{name: LOGIN[name]})


@pytest.mark.parametrize("name", ["kafka_ca", "kafka_certificate", "kafka_key"])
def test_certificates_without_encryption_are_refused(name, tmp_path):
    with pytest.raises(ValidationError, match=f"SWITCHHOOK_{name.upper()} is set, but .* is not encrypted"):
        settings(**{name: tmp_path / "any.pem"})


def test_a_key_without_its_certificate_is_refused(tmp_path):
    with pytest.raises(ValidationError, match="SWITCHHOOK_KAFKA_CERTIFICATE is needed with SWITCHHOOK_KAFKA_KEY"):
        settings(kafka_security_protocol="SSL", kafka_key=tmp_path / "key.pem")


@pytest.mark.parametrize("content", [None, b"no certificate"])
def test_a_ca_that_cannot_be_read_is_refused(tmp_path, content):
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ValidationError, match=r"SWITCHHOOK_KAFKA_CA: .*ca.pem does not hold certificates"):
        settings(kafka_security_protocol="SSL", kafka_ca=file)


def test_a_certificate_with_another_ones_key_is_refused(tmp_path):
    certificate, other = tmp_path / "certificate.pem", tmp_path / "other.pem"
    certificate.write_bytes(self_signed()[0])
    other.write_bytes(self_signed()[1])
    with pytest.raises(ValidationError, match=r"SWITCHHOOK_KAFKA_KEY: .*other.pem are not a certificate and its"):
        settings(kafka_security_protocol="SSL", kafka_certificate=certificate, kafka_key=other)


def test_an_unknown_protocol_or_mechanism_is_refused():
    with pytest.raises(ValidationError, match="kafka_security_protocol"):
        settings(kafka_security_protocol="TLS")
    with pytest.raises(ValidationError, match="kafka_sasl_mechanism"):
        settings(kafka_security_protocol="SASL_SSL", **LOGIN | {"kafka_sasl_mechanism": "GSSAPI"})


def test_a_login_over_an_encrypted_connection():
    cluster = settings(kafka_security_protocol="SASL_SSL", **LOGIN).cluster
    assert cluster.tls is not None
    assert cluster.login is not None
    assert (cluster.login.mechanism, cluster.login.user) == ("SCRAM-SHA-512", "bob")


def test_the_password_may_come_from_a_file(tmp_path, monkeypatch):
    (tmp_path / "switchhook_kafka_password").write_text("hunter22")
    monkeypatch.setenv("SWITCHHOOK_SECRETS_DIR", str(tmp_path))
    given = {name: value for name, value in LOGIN.items() if name != "kafka_password"}
    cluster = settings(kafka_security_protocol="SASL_PLAINTEXT", **given).cluster
    assert cluster.login is not None
    assert cluster.login.password.get_secret_value() == "hunter22"


def test_the_password_is_not_shown():
    made = settings(kafka_security_protocol="SASL_PLAINTEXT", **LOGIN)
    assert "hunter22" not in f"{made!r} {made.cluster!r}"


def self_signed() -> tuple[bytes, bytes]:
    """A certificate and its key, PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    pem = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    return (
        builder.sign(key, hashes.SHA256()).public_bytes(pem),
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain),
    )
