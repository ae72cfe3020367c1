"""Proxies and certificates come from the Tuning, whatever the environment says."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import certifi
import pytest

from gitassets.engines import routes
from gitassets.engines.base import Tuning
from gitassets.engines.routes import ca_bundle, proxy_for

if TYPE_CHECKING:
    from pathlib import Path

PROXIES = (("http", "http://p:1"), ("https", "socks5h://s:2"))


def test_no_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://environment:1")
    assert proxy_for("http://a.example/x", Tuning()) == ""


def test_by_scheme() -> None:
    tuning = Tuning(proxies=PROXIES)
    assert proxy_for("http://a.example/x", tuning) == "http://p:1"
    assert proxy_for("https://a.example/x", tuning) == "socks5h://s:2"
    assert proxy_for("https://a.example/x", Tuning(proxies=PROXIES[:1])) == ""


@pytest.mark.parametrize(
    ("host", "entry", "direct"),
    [
        ("a.example", "a.example", True),
        ("A.Example", "a.EXAMPLE", True),
        ("b.a.example", "a.example", True),
        ("b.a.example", ".a.example", True),
        ("a.example", ".a.example", True),
        ("a.example", "a.example.", True),
        ("evila.example", "a.example", False),
        ("a.example.evil", "a.example", False),
        ("a.example", "b.a.example", False),
        ("a.example", "*", True),
        ("a.example", "", False),
        ("a.example", " ", False),
        ("a.example", "10.0.0.0/8", False),
        ("10.1.2.3", "10.0.0.0/8", True),
        ("10.1.2.3", "10.1.2.3", True),
        ("110.1.2.3", "10.1.2.3", False),
        ("11.1.2.3", "10.0.0.0/8", False),
        ("[::1]", "::1", True),
        ("[::1]", "[::1]", True),
        ("[2001:db8::1]", "2001:db8::/32", True),
    ],
)
def test_hosts_without_a_proxy(host: str, entry: str, direct: bool) -> None:
    tuning = Tuning(proxies=PROXIES, no_proxy=("other.example", entry))
    assert (proxy_for(f"http://{host}:8080/x?y#z", tuning) == "") is direct


class TestCertificates:
    def test_the_users(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", "/environment")
        assert ca_bundle(Tuning(ca_file="/mine.pem")) == "/mine.pem"

    def test_the_first_of_the_systems(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        there = tmp_path / "bundle.pem"
        there.touch()
        monkeypatch.setattr(routes, "_BUNDLES", (str(tmp_path / "absent"), str(there), "/other"))
        assert ca_bundle(Tuning()) == str(there)

    def test_certifis_when_the_system_has_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(routes, "_BUNDLES", ())
        assert ca_bundle(Tuning()) == certifi.where()

    def test_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(routes, "_BUNDLES", ())
        monkeypatch.setitem(sys.modules, "certifi", None)
        assert ca_bundle(Tuning()) is None
