"""What every source promises, whatever its scheme: one suite, one set of places a scheme."""

from __future__ import annotations

import pytest
from support.places import PLACES, Place
from support.server import content

from gitassets.engines.base import Tuning
from gitassets.errors import Cause, TransferError
from gitassets.model import Url
from gitassets.sources import SOURCES, Resolver
from gitassets.sources import remote as sizes
from gitassets.sources.base import Policy

DATA = content("contract", 0, 5000)
CANARY = "canary-5ec2e7"
SECRETS = (
    "authorization",
    "cookie",
    "x-token",
    "private-token",
    "x-amz-security-token",
    "proxy-authorization",
)
"""A literal list: one that is derived from the code loses what the code forgets."""


@pytest.fixture(params=sorted(PLACES))
def place(request, tmp_path, monkeypatch):
    with PLACES[request.param](tmp_path, monkeypatch) as made:
        yield made


def resolver(place: Place, **more) -> Resolver:
    return Resolver(Policy(place.top, frozenset(place.allowed), **more), Tuning())


def test_every_scheme_has_a_place():
    assert {scheme for name in PLACES for scheme in PLACES[name].schemes} == set(SOURCES)


def test_the_request_gives_the_bytes(place):
    url = place.serve("data/file.bin", DATA)
    asked = resolver(place).resolve(url)
    assert asked.source == url
    assert place.read(asked) == DATA


@pytest.mark.parametrize(
    "name", ["a b.bin", "ü/ö.bin", "a+b&c=d.bin", "100%.bin", "q?x#y.bin", "~a@b.bin"]
)
def test_odd_names(place, name):
    url = place.serve(name, DATA)
    assert place.read(resolver(place).resolve(url)) == DATA


def test_after_expiry_it_is_resolved_anew(place):
    url = place.serve("x.bin", DATA)
    source = resolver(place)
    place.read(source.resolve(url))
    place.expire()
    assert place.read(source.resolve(url)) == DATA


def test_the_size_is_told(place):
    if not place.web:
        pytest.skip("a file of this disk is asked by stat")
    source = resolver(place)
    asked = source.resolve(place.serve("x.bin", DATA))
    assert sizes.ask(asked, source.control).size == len(DATA)


def test_a_hook_asks_no_private_host_of_a_lockfile(place):
    if place.users:
        pytest.skip("the host is the user's own choice, not the lockfile's")
    place.allowed = ()
    url = place.serve("x.bin", DATA)
    place.forget()
    with pytest.raises(TransferError) as told:
        resolver(place, explicit=False).resolve(url)
    assert told.value.cause is Cause.REFUSED
    assert "\n" not in told.value.reason
    assert place.requests() == []


def test_what_does_not_exist_is_one_line(place):
    place.serve("x.bin", DATA)
    source = resolver(place)
    url = place.name("missing.bin")
    try:
        asked = source.resolve(url)
        if not place.web:
            pytest.skip("a file of this disk is missed by the engine")
        sizes.ask(asked, source.control)
    except TransferError as error:
        told = source.explain(url, error)
        assert told.reason
        assert "\n" not in told.reason
        assert CANARY not in f"{told.reason}{told.hint}"
    else:
        pytest.fail("nobody noticed")


def test_no_credential_goes_to_another_host(place):
    """The place is asked with a credential, and sends us to a second host for the bytes."""
    if not place.credential(CANARY):
        pytest.skip("this kind of place has no credential")
    url = place.serve("x.bin", DATA)
    asked = resolver(place).resolve(url)
    assert place.read(asked) == DATA
    assert any(place.token or CANARY in text for text in place.requests()), (
        "the control: somebody has to see it"
    )
    second = place.second()
    assert second, "the second host was asked"
    for headers in second:
        assert CANARY not in str(headers)
        assert not set(SECRETS) & {name.lower() for name in headers}


def test_a_secret_is_marked(place):
    place.credential(CANARY)
    asked = resolver(place).resolve(place.serve("x.bin", DATA))
    assert asked.secret or not {name.lower() for name, _ in asked.headers} & set(SECRETS)


def test_unknown_scheme(tmp_path, monkeypatch):
    monkeypatch.delitem(SOURCES, "file")
    source = Resolver(Policy(tmp_path), Tuning())
    with pytest.raises(TransferError, match="no source for 'file:'"):
        source.resolve(Url("file:x"))
