import asyncio
import gzip
import ssl
import traceback
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from structlog.testing import capture_logs

from servicekit.http_client.guarded_http import BODY_LIMIT, Blocked, GuardedClient, Unreachable
from servicekit.http_client.resolver import Names
from support.raw_server import raw_server, response, says

LOOPBACK = (ip_network("127.0.0.0/8"),)
NAMES: dict[str, list[str]] = {
    "local.example": ["127.0.0.1"],
    "public.example": ["203.0.114.9"],
    "inside.example": ["10.1.2.3"],
    "mixed.example": ["203.0.114.9", "10.1.2.3"],
    "mapped.example": ["::ffff:10.1.2.3"],
    "metadata.example": ["169.254.169.254"],
    "none.example": [],
}


class FakeDns:
    def __init__(self) -> None:
        self.names = dict(NAMES)
        self.asked: list[str] = []

    async def __call__(self, host: str) -> list[str]:
        self.asked.append(host)
        if not self.names.get(host):
            raise OSError("no such name")
        return self.names[host]


@pytest.fixture
def dns():
    return FakeDns()


@pytest.fixture
async def http(dns):
    async with GuardedClient(LOOPBACK, refusal_seconds=0, lookup=dns) as client:
        yield client


async def failure(call) -> Unreachable:
    with pytest.raises(Unreachable) as failed:
        await call
    return failed.value


async def test_a_request_arrives_as_it_was_given(http):
    async with raw_server(response(b"hello", b"x-a: 1")) as server:
        url = f"http://local.example:{server.port}/hooks?a=b"
        answer = await http.request("POST", url, headers={"webhook-id": "w1"}, body=b'{"a":1}')
    assert (answer.status, answer.body, answer.truncated, answer.headers["X-A"]) == (200, b"hello", False, "1")
    assert answer.took_ms >= 0
    head, body = server.requests[0].split(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    assert lines[0] == b"post /hooks?a=b http/1.1"
    assert b"host: local.example:%d" % server.port in lines
    assert b"accept-encoding: identity" in lines
    assert b"webhook-id: w1" in lines
    assert not any(line.startswith(b"content-type") for line in lines)
    assert body == b'{"a":1}'


@pytest.mark.parametrize("host", ["inside.example", "mixed.example", "mapped.example", "metadata.example"])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_name_with_an_inner_address_is_blocked(http, host, scheme):
    error = await failure(http.request("GET", f"{scheme}://{host}/secret-path"))
    assert isinstance(error, Blocked)
    assert (error.rule, error.sent) == ("address", False)


@pytest.mark.parametrize(
    "url",
    [
        "https://10.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[64:ff9b::a9fe:a9fe]/",
        "https://169.254.169.254/latest/meta-data",
        "https://[fe80::1%25eth0]/",
        "http://8.8.8.8/",
        "https://8.8.8.8:22/",
        "https://2130706433/",
        "ftp://local.example/",
        "https://user:pw@local.example/",
    ],
)
async def test_a_url_that_leads_inside_is_blocked_before_any_look_up(http, dns, url):
    error = await failure(http.request("GET", url))
    assert isinstance(error, Blocked)
    assert dns.asked == []


async def test_public_names_are_reached_by_https_only(http):
    error = await failure(http.request("GET", "http://public.example/"))
    assert (type(error), error.rule) == (Blocked, "address")


async def test_without_allowed_networks_loopback_is_blocked(dns):
    async with raw_server(response()) as server, GuardedClient(refusal_seconds=0, lookup=dns) as http:
        for url in (
            f"http://local.example:{server.port}/",
            f"http://127.0.0.1:{server.port}/",
            "https://local.example/",
        ):
            assert isinstance(await failure(http.request("GET", url)), Blocked)
    assert server.connections == 0


async def test_the_real_resolver_is_judged_by_its_answers():
    async with GuardedClient(refusal_seconds=0) as http:
        assert isinstance(await failure(http.request("GET", "https://localhost/")), Blocked)


async def test_each_new_connection_is_checked_again(http, dns, monkeypatch):
    monkeypatch.setattr("servicekit.http_client.resolver.KEPT_SECONDS", 0)
    async with raw_server(response()) as server:  # Closes after each answer: no connection is used twice.
        url = f"http://local.example:{server.port}/"
        assert (await http.request("GET", url)).status == 200
        dns.names["local.example"] = ["10.0.0.1"]
        assert isinstance(await failure(http.request("GET", url)), Blocked)
    assert server.connections == 1


async def test_connections_are_kept(http):
    async with raw_server(response(), keep_alive=True) as server:
        for _ in range(5):
            assert (await http.request("GET", f"http://local.example:{server.port}/")).status == 200
        assert (server.connections, len(server.requests)) == (1, 5)


async def test_a_redirect_is_an_answer(http):
    inner = response(b"", b"location: http://169.254.169.254/", status=b"302 Found")
    async with raw_server(inner) as server:
        answer = await http.request("GET", f"http://local.example:{server.port}/")
    assert (answer.status, answer.headers["location"], len(server.requests)) == (302, "http://169.254.169.254/", 1)


async def test_cookies_are_not_kept(http):
    async with raw_server(response(b"", b"set-cookie: a=b")) as server:
        for _ in range(2):
            await http.request("GET", f"http://local.example:{server.port}/")
    assert b"cookie" not in server.requests[1].lower()


async def test_proxies_of_the_environment_are_ignored(http, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with raw_server(response()) as server:
        assert (await http.request("GET", f"http://local.example:{server.port}/")).status == 200


async def test_a_compressed_body_is_not_opened(http):
    bomb = gzip.compress(b"\0" * 10_000_000)
    async with raw_server(response(bomb, b"content-encoding: gzip")) as server:
        answer = await http.request("GET", f"http://local.example:{server.port}/")
    assert answer.body == bomb


@pytest.mark.parametrize("framing", [b"content-length: 10000000", b"x-until: close"])
async def test_a_long_body_is_cut_and_the_connection_closed(http, framing):
    broken_off = asyncio.Event()

    async def endless(writer):
        writer.write(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n")
        try:
            while True:
                writer.write(b"x" * 65536)
                await writer.drain()
        except ConnectionError:
            broken_off.set()

    async with raw_server(endless) as server:
        answer = await http.request("GET", f"http://local.example:{server.port}/")
        async with asyncio.timeout(10):
            await broken_off.wait()
    assert (answer.status, len(answer.body), answer.truncated) == (200, BODY_LIMIT, True)


async def test_a_body_of_just_the_limit_is_whole(http):
    async with raw_server(response(b"x" * 1000)) as server:
        whole = await http.request("GET", f"http://local.example:{server.port}/", max_body=1000)
        cut = await http.request("GET", f"http://local.example:{server.port}/", max_body=999)
    assert (len(whole.body), whole.truncated, len(cut.body), cut.truncated) == (1000, False, 999, True)


HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n"


@pytest.mark.parametrize(
    "raw",
    [
        HEAD + b"x: " + b"y" * 20_000 + b"\r\n\r\n",
        HEAD + b"".join(b"x%d: y\r\n" % n for n in range(500)) + b"\r\n",
        HEAD + b"x" * 20_000 + b": y\r\n\r\n",
        b"HTTP/1.1 200 " + b"x" * 20_000 + b"\r\n\r\n",
        b"SSH-2.0-OpenSSH_9\r\n\r\n",
    ],
    ids=["long value", "many headers", "long name", "long reason", "not HTTP"],
)
async def test_a_head_beyond_the_limits_is_a_bad_response(http, raw):
    async with raw_server(says(raw)) as server:
        error = await failure(http.request("GET", f"http://local.example:{server.port}/"))
    assert (error.code, error.sent) == ("bad-response", True)


async def test_a_body_that_breaks_off_is_no_answer(http):
    async with raw_server(says(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf")) as server:
        error = await failure(http.request("GET", f"http://local.example:{server.port}/"))
    assert (error.code, error.sent) == ("disconnected", True)


async def test_a_connection_closed_without_a_word_is_no_answer(http):
    async with raw_server(says(b"")) as server:
        error = await failure(http.request("POST", f"http://local.example:{server.port}/", body=b"x"))
    assert (error.code, error.sent, len(server.requests)) == ("disconnected", True, 1)


@pytest.mark.parametrize("begin", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"])
async def test_the_time_is_for_all_of_it(http, begin):
    async def silent(writer):
        writer.write(begin)
        await asyncio.Event().wait()

    async with raw_server(silent) as server:
        error = await failure(http.request("GET", f"http://local.example:{server.port}/", timeout=0.5))
    assert (error.code, error.sent) == ("timeout", True)


async def test_a_refused_connection_sent_nothing(http, dns):
    async with raw_server(response()) as server:
        port = server.port
    error = await failure(http.request("POST", f"http://local.example:{port}/"))
    assert (type(error), error.code, error.sent) == (Unreachable, "unreachable", False)
    assert str(error) == f"local.example:{port} refused the connection."


async def test_an_allowed_address_that_takes_no_connection_in_time_is_told_so(dns, monkeypatch):
    async def nothing_comes(*_):
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", nothing_comes, raising=False)
    async with GuardedClient(LOOPBACK, refusal_seconds=0, connect_seconds=0.01, lookup=dns) as http:
        error = await failure(http.request("GET", "http://local.example:9000/"))
    assert (error.code, error.sent) == ("unreachable", False)
    assert str(error) == "local.example:9000 did not accept the connection in time."


async def test_blocked_and_unknown_read_the_same(http, dns):
    """Whatever listens at the address that is not allowed."""
    async with raw_server(response()) as server:
        port = server.port
    texts = set()
    for found in (["10.0.0.1"], [], ["169.254.169.254"], ["127.0.0.1", "10.0.0.1"]):
        dns.names = {"shop.example": found}
        http._names._known.clear()
        error = await failure(http.request("GET", f"http://shop.example:{port}/"))
        texts.add((str(error), error.code, error.sent))
    assert len(texts) == 1


async def test_blocked_and_unknown_take_their_time(dns):
    loop = asyncio.get_running_loop()
    async with GuardedClient(LOOPBACK, refusal_seconds=0.2, lookup=dns) as http:
        for host in ("inside.example", "none.example"):
            started = loop.time()
            await failure(http.request("GET", f"https://{host}/"))
            assert loop.time() - started >= 0.2


async def test_no_error_tells_the_url_or_the_address(http):
    async with raw_server(says(b"")) as server:
        urls = [
            f"http://local.example:{server.port}/bot123:planted-secret",
            "https://inside.example/bot123:planted-secret",
            "https://none.example/bot123:planted-secret",
            "https://user:planted-secret@local.example/",
            "https://10.1.2.3/planted-secret",
        ]
        for url in urls:
            error = await failure(http.request("GET", url))
            told = "".join(traceback.format_exception(error)) + repr(error)
            assert "planted-secret" not in told
            assert error.__context__ is None
            assert "10.1.2.3" not in str(error) or "10.1.2.3" in url


async def test_the_address_is_in_the_operators_log(http):
    with capture_logs() as logs:
        await failure(http.request("GET", "https://mixed.example/planted-secret"))
    (line,) = logs
    assert (line["event"], line["host"], line["address"]) == ("egress.blocked", "mixed.example", "10.1.2.3")
    assert "planted-secret" not in str(line)


@pytest.mark.parametrize("name", ["Host", "content-length", "Transfer-Encoding", "connection", "Accept-Encoding"])
async def test_headers_that_frame_the_request_are_not_the_callers(http, name):
    error = await failure(http.request("GET", "https://local.example/", headers={name: "x"}))
    assert (type(error), error.rule) == (Blocked, "header")


@pytest.mark.parametrize("header", [("x", "a\r\nb: c"), ("x\r\nb", "c"), ("x", "a\nb"), ("x y", "z"), ("", "z")])
async def test_headers_cannot_carry_a_second_line(http, header):
    async with raw_server(response()) as server:
        url = f"http://local.example:{server.port}/"
        error = await failure(http.request("GET", url, headers=dict([header])))
        assert isinstance(error, Blocked)
    assert server.requests == []


def self_signed(tmp_path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context for `name`, and a client's that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(pem)
    return server, ssl.create_default_context(cafile=pem)


async def test_tls_is_with_the_name_although_the_connection_is_to_the_address(dns, tmp_path):
    server_tls, client_tls = self_signed(tmp_path, "local.example")
    asked: list[str] = []
    server_tls.sni_callback = lambda _, name, __: asked.append(name)
    async with (
        raw_server(response(), tls=server_tls) as server,
        GuardedClient(LOOPBACK, lookup=dns, tls=client_tls) as http,
    ):
        answer = await http.request("GET", f"https://local.example:{server.port}/")
    assert (answer.status, asked) == (200, ["local.example"])


async def test_a_certificate_of_another_name_is_refused(dns, tmp_path):
    server_tls, client_tls = self_signed(tmp_path, "other.example")
    async with (
        raw_server(response(), tls=server_tls) as server,
        GuardedClient(LOOPBACK, lookup=dns, tls=client_tls) as http,
    ):
        error = await failure(http.request("POST", f"https://local.example:{server.port}/", body=b"x"))
    assert (error.code, error.sent, server.requests) == ("tls", False, [])


async def test_look_ups_of_one_name_are_shared_and_remembered(dns):
    names = Names(dns)
    await asyncio.gather(*(names.addresses("local.example", "p") for _ in range(20)))
    await names.addresses("local.example", "p")
    assert dns.asked == ["local.example"]
    names.close()


async def test_a_slow_name_server_is_no_answer_and_nothing_was_sent(monkeypatch):
    monkeypatch.setattr("servicekit.http_client.resolver.LOOKUP_SECONDS", 0.05)

    async def never(_: str) -> list[str]:
        await asyncio.Event().wait()
        return []

    async with GuardedClient(LOOPBACK, refusal_seconds=0, lookup=never) as http:
        error = await failure(http.request("POST", "https://slow.example/"))
    assert (type(error), error.code, error.sent) == (Unreachable, "unreachable", False)
