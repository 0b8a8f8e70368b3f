"""Signing in, as a browser does it: passwords, cookies, throttling, other people's pages, and users that change meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from playback.identity.entrance import COOKIE
from playback.identity.identity import Identity, identity_over
from playback.identity.passwords import Cost, Passwords, check_password, hash_of, is_of, made_up
from playback.identity.throttle import OF_ONE_ADDRESS, OF_ONE_NAME, WINDOW_S
from playback.identity.users import USERS, User
from segments.access import EVERYTHING, Role, Scope, Subject
from segments.audit import Act, Action, Outcome
from segments.clock import US_PER_S
from segments.errors import BadInput, Conflict, NotFound
from segments.stores.memory_index import MemoryIndex
from tests.api import Api
from tests.builders import a_camera

CHEAP = Cost(16, 1, 1)
PASSWORD = "correct horse battery"
OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}


class Site:
    """A site with the users Anna (everything) and Ben (an area), and what is written down of them."""

    def __init__(self) -> None:
        self.api = Api()
        self.identity = identity(self.api)
        self.acts: list[Act] = []

    async def write(self, act: Act) -> None:
        self.acts.append(act)

    @asynccontextmanager
    async def browser(self) -> AsyncIterator[httpx2.AsyncClient]:
        """One that keeps cookies, at the page of this site."""
        made = self.identity
        async with self.api.client(access=made.entrance(), identity=made, register=self) as client:
            yield client


def identity(api: Api) -> Identity:
    """One process's."""
    return identity_over(api.index, api.clock, passwords=Passwords(CHEAP))


@pytest.fixture
async def site() -> Site:
    made = Site()
    for camera, area in (("gate", "a/b"), ("yard", "c")):
        await made.api.index.add_camera(a_camera(camera, area=area))
    anna = User("anna", "Anna", "Station 3", frozenset({Role.OPERATOR, Role.ADMINISTRATOR}), EVERYTHING)
    await made.identity.users.add(anna, PASSWORD, by="test")
    await made.identity.users.add(User("ben", "Ben", "", frozenset({Role.VIEWER}), Scope(areas=("a",))), PASSWORD, by="test")
    return made


async def sign_in(client: httpx2.AsyncClient, name: str, password: str = PASSWORD, **options: Any) -> httpx2.Response:
    """As the page does it."""
    return await client.post("session", json={"name": name, "password": password}, **options)


async def test_who_signs_in_is_known_until_they_sign_out(site: Site) -> None:
    """With a cookie that scripts do not see and other sites' requests do not carry; afterwards it opens nothing, wherever it was copied."""
    async with site.browser() as client:
        answer = await sign_in(client, "ben")
        assert answer.json() == (await client.get("me")).json()
        assert answer.json()["id"] == "user:ben"
        assert answer.json()["verbs"] == ["list", "own", "view"]
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert "secure" not in cookie
        kept = client.cookies[COOKIE]
        assert [each["id"] for each in (await client.get("cameras")).json()["cameras"]] == ["gate"]
        assert (await client.delete("session", headers=OWN_PAGE)).status_code == 204
        client.cookies.set(COOKIE, kept)
        assert (await client.get("me")).status_code == 401
    told = [("user:ben", Action.SIGN_IN, Outcome.DONE), ("", Action.SEARCH, Outcome.REFUSED)]  # the last is the copied cookie
    assert [(act.who.id, act.action, act.outcome) for act in site.acts] == told


async def test_by_tls_a_cookie_stays_with_tls(site: Site) -> None:
    """The attribute Secure."""
    async with site.browser() as client:
        answer = await client.post("https://keepsight/api/v1/session", json={"name": "ben", "password": PASSWORD})
    assert "; secure" in answer.headers["set-cookie"].lower()


@pytest.mark.parametrize(("name", "password"), [("ben", "wrong"), ("nobody", PASSWORD), ("Ben", PASSWORD), ("ben", ""), ("\ud800", "x")])
async def test_what_is_wrong_is_not_told(site: Site, name: str, password: str) -> None:
    """Unknown names and wrong passwords are one answer, and it is written down."""
    async with site.browser() as client:
        body = f'{{"name": "{name if name != chr(0xD800) else "x"}", "password": "{password}"}}'
        answer = await client.post("session", content=body, headers={"Content-Type": "application/json"})
    if password:
        assert (answer.status_code, answer.json()["detail"]) == (401, "name or password is wrong")
        assert [act.outcome for act in site.acts] == [Outcome.REFUSED]
    else:
        assert answer.status_code == 422
    assert COOKIE not in answer.headers.get("set-cookie", "")


async def test_an_unknown_name_costs_as_much_as_a_known_one(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """One hash each."""
    costs = []
    monkeypatch.setattr("playback.identity.passwords.is_of", lambda *given: bool(costs.append(given)))
    for name in ("ben", "nobody", "not a name"):
        assert await site.identity.users.signed_in(name, "wrong") is None
    assert len(costs) == 3


async def test_who_guesses_is_slowed_down(site: Site) -> None:
    """By name, whatever the address, even with the right password then; after a quarter of an hour it is looked at again."""
    async with site.browser() as client:
        for _ in range(OF_ONE_NAME):
            assert (await sign_in(client, "ben", "wrong")).status_code == 401
        refused = await sign_in(client, "ben")
        assert (refused.status_code, refused.headers["retry-after"]) == (429, str(WINDOW_S))
        assert (await sign_in(client, "anna")).status_code == 200
        site.api.clock.at_us += WINDOW_S * US_PER_S
        assert (await sign_in(client, "ben")).status_code == 200


async def test_an_address_that_tries_many_names_is_slowed_down(site: Site) -> None:
    """One password for all names is guessing, too."""
    async with site.browser() as client:
        answers = [(await sign_in(client, f"user-{number}", "wrong")).status_code for number in range(OF_ONE_ADDRESS + 1)]
    assert answers == [401] * OF_ONE_ADDRESS + [429]


async def test_right_sign_ins_are_never_too_many(site: Site) -> None:
    """Only failures count."""
    async with site.browser() as client:
        assert {(await sign_in(client, "ben")).status_code for _ in range(OF_ONE_NAME + 2)} == {200}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://keepsight.evil.example"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://keepsight"},
    ],
)
async def test_another_page_changes_nothing_with_a_session(site: Site, headers: dict[str, str]) -> None:
    """CSRF: 403, and nothing is done; what only looks is answered."""
    async with site.browser() as client:
        await sign_in(client, "anna")
        body = {"name": "eve", "password": PASSWORD, "roles": ["viewer"]}
        assert (await client.post("users", json=body, headers=headers)).status_code == 403
        assert (await client.get("users", headers=headers)).status_code == 200
        assert [user["name"] for user in (await client.get("users")).json()] == ["anna", "ben"]


@pytest.mark.parametrize("headers", [OWN_PAGE, {"Origin": "http://keepsight"}])
async def test_its_own_page_changes_things(site: Site, headers: dict[str, str]) -> None:
    """Browsers say where a request comes from, older ones by Origin alone."""
    async with site.browser() as client:
        await sign_in(client, "anna")
        body = {"name": "eve", "password": PASSWORD, "roles": ["viewer"]}
        assert (await client.post("users", json=body, headers=headers)).status_code == 201
    assert (await site.identity.users.user("eve")).made_by == "Anna"


async def test_another_page_signs_nobody_in(site: Site) -> None:
    """Else it could have people work under its own name."""
    async with site.browser() as client:
        assert (await sign_in(client, "ben", headers={"Sec-Fetch-Site": "cross-site"})).status_code == 403


async def test_what_is_changed_about_a_user_binds_at_once(site: Site) -> None:
    """Roles and scope in sessions that are under way, in another process; disabled or with another password they are over."""
    other = identity(site.api)
    async with site.browser() as client:
        await sign_in(client, "ben")
        await other.users.change("ben", scope=Scope(areas=("c",)), roles=frozenset({Role.AUDITOR}))
        assert [each["id"] for each in (await client.get("cameras")).json()["cameras"]] == ["yard"]
        assert (await client.get("cameras/gate")).status_code == 404
        await other.users.change("ben", disabled=True)
        assert (await client.get("me")).status_code == 401
        await other.users.change("ben", disabled=False)
        assert (await client.get("me")).status_code == 200
        body = {"present": PASSWORD, "wanted": "another long password"}
        assert (await client.put("me/password", json=body, headers=OWN_PAGE)).status_code == 204
        assert (await sign_in(client, "ben")).status_code == 401
        assert (await sign_in(client, "ben", "another long password")).status_code == 200
        await other.users.remove("ben")
        assert (await client.get("me")).status_code == 401
    with pytest.raises(NotFound):
        await other.users.user("ben")
    with pytest.raises(Conflict, match="never given twice"):
        await other.users.add(User("ben"), PASSWORD, by="test")


async def test_a_known_name_signs_and_no_other_does(site: Site) -> None:
    """`Keepsight-By` speaks only where nobody is known."""
    body = {"case": "c", "reason": "r", "from": "2026-01-01T00:00:00Z", "cameras": ["gate"]}
    async with site.browser() as client:
        await sign_in(client, "anna")
        placed = await client.post("holds", json=body, headers=OWN_PAGE)
        assert (placed.status_code, placed.json()["hold"]["placed_by"]) == (201, "Anna")
        forged = await client.post("holds", json=body, headers={**OWN_PAGE, "Keepsight-By": "Ben"})
        assert (forged.status_code, "you are known as Anna" in forged.json()["detail"]) == (422, True)
    async with site.api.client() as client:
        assert (await client.post("holds", json=body)).status_code == 422
        assert (await client.post("holds", json=body, headers={"Keepsight-By": "Ben"})).json()["hold"]["placed_by"] == "Ben"


async def test_passwords_are_kept_as_hashes_that_say_their_cost(site: Site) -> None:
    """No text of one stands in the index; two of the same password are two hashes; the cost may change later."""
    found = [record.values["password"] for record in await site.api.index.records(USERS)]
    assert len(set(found)) == 2
    assert all(kept.startswith("scrypt:16:1:1:") and is_of(PASSWORD, kept) and not is_of("wrong", kept) for kept in found)
    assert not any(PASSWORD in record.text for record in await site.api.index.records(USERS))
    assert is_of("x", hash_of("x", Cost(32, 2, 1)))
    assert not any(is_of("", kept) for kept in ("", "scrypt:1:1:1::", "plain:16:1:1:AA==:AA==", "a:b:c:d:e:f"))
    assert not is_of("x", hash_of("x", CHEAP).replace("scrypt", "other"))


@pytest.mark.parametrize("password", ["", "short", "x" * 257, "\ud800" * 20])
def test_unfit_passwords_are_refused(password: str) -> None:
    """And those that are made up are fit."""
    with pytest.raises(BadInput):
        check_password(password)
    check_password(made_up())
    assert made_up() != made_up()


async def test_users_that_are_none_are_not_known() -> None:
    """Ids of other kinds, and names that are none."""
    users = identity_over(MemoryIndex(), Api().clock).users
    assert [await users.known(each) for each in ("user:", "user:x", "user:../x", "key:x", "")] == [None] * 5
    assert Subject("user:x", "x").scope.everything is False
