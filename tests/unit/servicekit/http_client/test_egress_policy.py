from ipaddress import ip_network

import pytest

from servicekit.http_client.egress_policy import PORTS, UrlRefused, allowed, check_url

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))

PUBLIC = [
    "8.8.8.8",
    "1.1.1.1",
    "223.255.255.254",
    "2606:4700:4700::1111",
    "2a00:1450:4001:81b::200e",
    "2001:200::1",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
]
NOT_PUBLIC = {
    "loopback": ["127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1", "::ffff:7f00:1"],
    "unspecified": ["0.0.0.0", "0.1.2.3", "::", "::ffff:0.0.0.0"],
    "private": ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fc00::1", "fd12:3456::1"],
    "link-local": ["169.254.1.1", "169.254.169.254", "fe80::1", "::ffff:169.254.169.254", "fe80::1%eth0"],
    "carrier NAT": ["100.64.0.1", "100.127.255.255"],
    "cloud": ["168.63.129.16", "fd00:ec2::254", "192.0.0.192", "100.100.100.200"],
    "special": ["192.0.0.1", "192.0.0.9", "192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1", "198.19.255.255"],
    "6to4 relay": ["192.88.99.1"],
    "multicast": ["224.0.0.1", "239.255.255.250", "ff02::1", "ff0e::1"],
    "reserved": ["240.0.0.1", "255.255.255.255"],
    "NAT64 of a private address": ["64:ff9b::a9fe:a9fe", "64:ff9b::7f00:1", "64:ff9b::a00:1"],
    "local NAT64": ["64:ff9b:1::1", "64:ff9b:1::808:808"],
    "6to4": ["2002:7f00:1::", "2002:a9fe:a9fe::1", "2002:808:808::1"],
    "Teredo": ["2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2"],
    "compat": ["::127.0.0.1", "::8.8.8.8", "::7f00:1"],
    "SIIT": ["::ffff:0:127.0.0.1", "::ffff:0:7f00:1"],
    "site-local": ["fec0::1"],
    "segment routing": ["5f00::1"],
    "documentation": ["2001:db8::1", "3fff::1", "3fff:fff::1"],
    "discard, benchmarking, ORCHID": ["100::1", "2001:2::1", "2001:10::1", "2001:20::1"],
    "a scope on a public address": ["2606:4700:4700::1111%eth0"],
    "no address": ["", "localhost", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "0", "example.com"],
}


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_may_be_called(address):
    assert allowed(address)


@pytest.mark.parametrize(("kind", "address"), [(kind, one) for kind, many in NOT_PUBLIC.items() for one in many])
def test_no_other_address_may_be_called(kind, address):
    assert not allowed(address), kind


def test_an_allowed_network_opens_itself_and_nothing_else():
    assert allowed("127.0.0.1", LOOPBACK)
    assert allowed("::ffff:127.0.0.1", LOOPBACK)
    assert allowed("::1", LOOPBACK)
    assert not allowed("10.0.0.1", LOOPBACK)
    assert not allowed("::127.0.0.1", LOOPBACK)
    assert not allowed("2002:7f00:1::", LOOPBACK)
    assert not allowed("fe80::1%eth0", (ip_network("fe80::/10"),))


def test_where_public_addresses_do_not_count_only_allowed_networks_do():
    assert not allowed("8.8.8.8", LOOPBACK, public=False)
    assert allowed("127.0.0.1", LOOPBACK, public=False)
    assert not allowed("127.0.0.1", (), public=False)


@pytest.mark.parametrize("port", sorted(PORTS))
def test_https_on_the_usual_ports_is_for_public_addresses(port):
    target = check_url(f"https://shop.example:{port}/hooks?a=b#c")
    assert (target.host, target.literal, target.public) == ("shop.example", None, True)
    assert str(target.url).endswith("/hooks?a=b")


@pytest.mark.parametrize("url", ["http://shop.example/", "https://shop.example:22/", "http://127.0.0.1:8080/"])
def test_plain_http_and_other_ports_are_for_allowed_networks(url):
    assert not check_url(url).public


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://SHOP.example./", "shop.example"),
        ("https://bücher.example/", "xn--bcher-kva.example"),
        ("https://[::1]/", "::1"),
        ("https://１２７.0.0.1/", "127.0.0.1"),
    ],
)
def test_hosts_are_brought_to_one_form(url, host):
    assert check_url(url).host == host
    assert check_url(url).url.raw_host == host


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("ftp://shop.example/", "scheme"),
        ("file:///etc/passwd", "scheme"),
        ("gopher://127.0.0.1:11211/", "scheme"),
        ("javascript:alert(1)", "scheme"),
        ("//shop.example/", "scheme"),
        ("", "scheme"),
        ("https://user:pw@shop.example/", "userinfo"),
        ("https://user@shop.example/", "userinfo"),
        ("https://shop.example%2f@evil.example/", "userinfo"),
        ("https:///path", "host"),
        ("https://2130706433/", "host"),
        ("https://0x7f.1/", "host"),
        ("https://0x7f000001/", "host"),
        ("https://0177.0.0.1/", "host"),
        ("https://127.1/", "host"),
        ("https://0/", "host"),
        ("https://a..b/", "host"),
        ("https://127.0.0.1../", "host"),
        ("https://shop%2eexample/", "host"),
        ("https://" + "a" * 64 + ".example/", "host"),
        ("https://shop.example:0/", "port"),
        ("https://shop.example:70000/", "url"),
        ("https://shop.example/a b", "url"),
        (" https://shop.example/", "url"),
        ("https://shop.example/\r\nX: y", "url"),
        ("https://shop.example\\@evil.example/", "url"),
        ("https://sh\top.example/", "url"),
        ("https://[::1", "url"),
        ("https://shop.example/" + "a" * 5000, "url"),
    ],
)
def test_what_no_setting_allows_is_refused(url, rule):
    with pytest.raises(UrlRefused) as refused:
        check_url(url)
    assert refused.value.rule == rule
    assert "evil" not in str(refused.value)
