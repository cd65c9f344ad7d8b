"""Who may look at the page, and who may act on it."""

import base64
import json
from http import HTTPStatus
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneops.hosting import own_address
from tuneops.page.access import (
    MAX_PRINCIPAL,
    OPERATOR,
    PRINCIPAL,
    DeniedError,
    Visitor,
    visitor,
)
from tuneops.page.asked import Asked
from tuneops.page.way import Way, way_in

LOCAL = "http://127.0.0.1:7071"
UPN = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"
ROLE = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"


@pytest.mark.parametrize(
    ("environ", "way"),
    [
        pytest.param({}, "key", id="nothing-set"),
        pytest.param({"TUNEOPS_PAGE_URL": LOCAL}, "loopback", id="local-cloud"),
        pytest.param({"TUNEOPS_PAGE_URL": "http://localhost:7071"}, "loopback", id="localhost"),
        pytest.param({"TUNEOPS_PAGE_URL": "http://[::1]:7071"}, "loopback", id="ipv6"),
        pytest.param({"TUNEOPS_PAGE_URL": "https://127.0.0.1.evil.example"}, "key", id="alike"),
        pytest.param({"TUNEOPS_PAGE_URL": "http://[nonsense"}, "key", id="no-url"),
        pytest.param(
            {"TUNEOPS_PAGE_URL": LOCAL, "WEBSITE_INSTANCE_ID": "i"}, "key", id="never-in-azure"
        ),
        pytest.param(
            {"TUNEOPS_PAGE_URL": LOCAL, "WEBSITE_SITE_NAME": "a"}, "key", id="consumption"
        ),
        pytest.param(
            {"TUNEOPS_PAGE_URL": LOCAL, "CONTAINER_NAME": "c"}, "loopback", id="in-a-container"
        ),
        pytest.param(
            {"WEBSITE_AUTH_ENABLED": "True", "WEBSITE_INSTANCE_ID": "i"}, "entra", id="easy-auth"
        ),
        pytest.param({"WEBSITE_AUTH_ENABLED": "False"}, "key", id="easy-auth-off"),
    ],
)
def test_the_way_in(environ: dict[str, str], way: Way) -> None:
    assert way_in(environ) == way


@pytest.mark.parametrize(
    ("environ", "address"),
    [
        ({"WEBSITE_HOSTNAME": "a.example", "WEBSITE_SITE_NAME": "a"}, "https://a.example"),
        ({"WEBSITE_HOSTNAME": "localhost:7071"}, ""),
        ({"WEBSITE_SITE_NAME": "a"}, ""),
    ],
)
def test_the_apps_own_address(environ: dict[str, str], address: str) -> None:
    assert own_address(environ) == address


def principal(*claims: tuple[str, str], provider: str = "aad", **more: Any) -> str:
    """The header that App Service sets for somebody with these claims."""
    listed = [{"typ": typ, "val": val} for typ, val in claims]
    text = json.dumps({"auth_typ": provider, "claims": listed, **more})
    return base64.b64encode(text.encode()).decode()


def by_entra(header: str, reader_role: str = "") -> Visitor:
    """Who that is."""
    return visitor(Asked("/", headers={PRINCIPAL: header}), "entra", reader_role)


ADA = ("preferred_username", "ada@contoso.com")


@pytest.mark.parametrize(
    ("header", "name", "acts"),
    [
        pytest.param(principal(ADA), "ada@contoso.com", False, id="reads"),
        pytest.param(principal(ADA, ("roles", OPERATOR)), "ada@contoso.com", True, id="acts"),
        pytest.param(
            principal((UPN, "ada@contoso.com"), ("name", "Ada"), (ROLE, OPERATOR)),
            "ada@contoso.com",
            True,
            id="mapped-claims",
        ),
        pytest.param(
            principal(("who", "Ada"), ("may", OPERATOR), name_typ="who", role_typ="may"),
            "Ada",
            True,
            id="types-that-the-header-names",
        ),
        pytest.param(principal(ADA, ("groups", OPERATOR)), "ada@contoso.com", False, id="group"),
        pytest.param(principal(("name", "  Ada ")), "Ada", False, id="display-name"),
    ],
)
def test_who_has_signed_in(header: str, name: str, acts: bool) -> None:
    found = by_entra(header)
    assert (found.name, found.may_act, found.by) == (name, acts, "entra")


@pytest.mark.parametrize(
    ("header", "status", "message"),
    [
        pytest.param("", HTTPStatus.UNAUTHORIZED, "sign in", id="nobody"),
        pytest.param("%%%", HTTPStatus.BAD_REQUEST, "can't be read", id="no-base64"),
        pytest.param("bm8ganNvbg==", HTTPStatus.BAD_REQUEST, "can't be read", id="no-json"),
        pytest.param("A" * (MAX_PRINCIPAL + 1), HTTPStatus.BAD_REQUEST, "can't", id="too-long"),
        pytest.param(
            principal(ADA, provider="google"), HTTPStatus.FORBIDDEN, "Entra ID", id="other"
        ),
        pytest.param(principal(("roles", OPERATOR)), HTTPStatus.FORBIDDEN, "no name", id="unnamed"),
    ],
)
def test_who_is_not_let_in(header: str, status: HTTPStatus, message: str) -> None:
    with pytest.raises(DeniedError, match=message) as denied:
        by_entra(header)
    assert denied.value.status == status


def test_readers_may_need_a_role() -> None:
    reads, other = principal(ADA, ("roles", "Readers")), principal(ADA)
    assert by_entra(reads, "Readers").name == "ada@contoso.com"
    assert by_entra(principal(ADA, ("roles", OPERATOR)), "Readers").may_act
    with pytest.raises(DeniedError, match="has not the role Readers"):
        by_entra(other, "Readers")


@settings(max_examples=60, deadline=None)
@given(
    st.one_of(
        st.text(max_size=60),
        st.binary(max_size=60).map(lambda raw: base64.b64encode(raw).decode()),
        st.recursive(
            st.none() | st.integers() | st.text(max_size=8),
            lambda inner: (
                st.lists(inner, max_size=4)
                | st.dictionaries(st.sampled_from(["auth_typ", "claims", "typ", "val"]), inner)
            ),
            max_leaves=12,
        ).map(lambda value: base64.b64encode(json.dumps(value).encode()).decode()),
    )
)
def test_no_header_opens_the_page_by_accident(header: str) -> None:
    with pytest.raises(DeniedError):
        by_entra(header)


def test_a_header_counts_for_nothing_without_easy_auth() -> None:
    forged = {PRINCIPAL: principal(ADA, ("roles", OPERATOR)), "host": "127.0.0.1:7071"}
    assert not visitor(Asked("/", headers=forged), "key").may_act
    assert visitor(Asked("/", headers=forged), "loopback").name == "this computer"


@pytest.mark.parametrize("host", ["127.0.0.1:7071", "localhost", "[::1]:7071"])
def test_the_local_cloud_opens_on_its_own_computer(host: str) -> None:
    assert visitor(Asked("/", headers={"host": host}), "loopback").may_act


@pytest.mark.parametrize("host", ["", "rebound.evil.example", "127.0.0.1.evil.example", "[x"])
def test_a_name_that_was_pointed_at_it_does_not_open_it(host: str) -> None:
    with pytest.raises(DeniedError, match=r"open it by 127\.0\.0\.1"):
        visitor(Asked("/", headers={"host": host}), "loopback")


def test_links_carry_the_key_that_was_given() -> None:
    asked = Asked("https://app/?code=k%26y", query={"code": "k&y"})
    assert asked.link("/projects/bot", page=2, text="") == "/projects/bot?page=2&code=k%26y"
    assert Asked("https://app/").link("/projects/bot") == "/projects/bot"
    assert Asked("/").link("/", **{"self": "1", "path": "2"}) == "/?self=1&path=2"
