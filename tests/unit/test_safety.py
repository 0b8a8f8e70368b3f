"""What makes a start unsafe (promise R25): each rule refuses what breaks it, lets its counterpart pass, and tells no secret."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from deploy.fleet.ray_safety import ray_problems
from deploy.safety import Rule, problems_of, problems_of_clock, problems_of_files, problems_of_index, refuse, weakness
from deploy.settings import Settings, load_settings
from segments.errors import StartRefused
from segments.stores.cassandra_login import Login, asked_login
from tests.servers.processes import free_port

BUCKET = {
    "pools.main.kind": "s3",
    "pools.main.endpoint": "http://127.0.0.1:9000",
    "pools.main.bucket": "footage",
    "pools.main.access_key_id": "recorder",
    "pools.main.secret_file": "pool.secret",
}
CASSANDRA = {
    "index.kind": "cassandra",
    "index.hosts": ["127.0.0.1"],
    "index.datacenter": "east",
    "index.user": "keepsight",
    "index.password_file": "index.password",
}
GOOD = "correct-horse-battery"


def settings_of(folder: Path, **changes: Any) -> Settings:
    """A safe configuration with a bucket and Cassandra, but for the keys (with `__` for the dot) that are spoiled."""
    values = {**BUCKET, **CASSANDRA, **{key.replace("__", "."): value for key, value in changes.items()}}
    for name in ("pool.secret", "index.password", "api.token"):
        if not (folder / name).exists():
            secret(folder / name, GOOD)
    (folder / "keepsight.toml").write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items()))
    return load_settings(folder / "keepsight.toml", {})


def secret(path: Path, text: str, mode: int = 0o600) -> Path:
    path.touch(mode=0o600)
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_safe_configuration_has_no_problem(tmp_path: Path) -> None:
    """The negative control of all tests below, and the embedded defaults without any configuration."""
    for settings in (settings_of(tmp_path), load_settings(None, {"KEEPSIGHT_SITE__FOLDER": str(tmp_path / "none")})):
        assert [*problems_of(settings), *problems_of_files(settings), *problems_of_clock(settings)] == []
    refuse([])


# --- settings alone: (4) (5) (8), and the routes between nodes ---


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "keepsight.example"])
def test_an_open_api_off_loopback_is_refused(tmp_path: Path, host: str) -> None:
    """(8) Footage is not for everybody in reach; where people sign in, or with a token, it is fine."""
    (problem,) = problems_of(settings_of(tmp_path, api__host=host, access__open=True))
    assert (problem.rule, problem.mend) == (Rule.API_ACCESS, "leave access.open out, or bind to 127.0.0.1")
    assert problems_of(settings_of(tmp_path, api__host=host)) == []
    assert problems_of(settings_of(tmp_path, api__host=host, api__token_file="api.token")) == []


def test_an_open_api_asks_for_no_token(tmp_path: Path) -> None:
    """Who set a token believes that it is asked for."""
    (problem,) = problems_of(settings_of(tmp_path, access__open=True, api__token_file="api.token"))
    assert problem.rule == Rule.API_ACCESS


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_on_loopback_nothing_more_is_asked(tmp_path: Path, host: str) -> None:
    """Neither of the API, nor of the routes between processes, nor of index and pool: the embedded form needs no configuration."""
    far = f"[{host}]" if ":" in host else host
    endpoint = {"pools__main__endpoint": f"http://{far}:9000"}
    assert problems_of(settings_of(tmp_path, api__host=host, internal__host=host, index__hosts=[host], access__open=True, **endpoint)) == []


def test_plain_routes_between_nodes_are_refused(tmp_path: Path) -> None:
    """With a certificate they are fine, and where the administrator says that the network is closed."""
    (problem,) = problems_of(settings_of(tmp_path, internal__host="10.0.0.1"))
    assert problem.rule is Rule.NODES_TLS
    assert "internal.plain = true" in problem.mend
    files = {"internal__certificate_file": "a", "internal__certificate_key_file": "b", "internal__ca_file": "c"}
    assert problems_of(settings_of(tmp_path, internal__host="10.0.0.1", **files)) == []
    assert problems_of(settings_of(tmp_path, internal__host="10.0.0.1", internal__plain=True)) == []


def test_a_plain_index_off_loopback_is_refused(tmp_path: Path) -> None:
    """(4) Each far server is named; with an authority connections are by TLS."""
    hosts = ["127.0.0.1", "10.0.0.1", "index.example"]
    (problem,) = problems_of(settings_of(tmp_path, index__hosts=hosts))
    assert (problem.rule, problem.mend) == (Rule.INDEX_TLS, "set index.ca_file")
    assert "10.0.0.1, index.example would" in problem.sentence
    assert problems_of(settings_of(tmp_path, index__hosts=hosts, index__ca_file="ca.pem")) == []


@pytest.mark.parametrize("endpoint", ["http://10.0.0.1:9000", "http://s3.example", "http://[2001:db8::1]:9000", "s3.example:9000"])
def test_a_plain_store_off_loopback_is_refused(tmp_path: Path, endpoint: str) -> None:
    """(5) With the name of its pool; by https it is fine."""
    (problem,) = problems_of(settings_of(tmp_path, pools__main__endpoint=endpoint))
    assert (problem.rule, problem.mend) == (Rule.POOL_TLS, "set pools.main.endpoint to an https:// address")
    assert problems_of(settings_of(tmp_path, pools__main__endpoint=endpoint.replace("http:", "https:"))) == [problem] * (
        "//" not in endpoint
    )


# --- files: (6) (7) ---


@pytest.mark.parametrize(
    ("text", "user", "ours"),
    [
        ("minioadmin", "", False),
        ("ChangeMe", "", False),
        ("admin", "", False),
        ("password", "", True),
        ("cassandra", "cassandra", False),
        ("recorder", "recorder", False),
        ("0" * 64, "", True),
        ("only-15-letters", "", True),
    ],
)
def test_secrets_that_anybody_would_guess(text: str, user: str, ours: bool) -> None:
    """(6) Of manuals, equal to the user's name, one character over and over, or short; the words do not tell them."""
    said = weakness(text, user=user, ours=ours)
    assert said
    assert text not in said


@pytest.mark.parametrize(("text", "ours"), [("0" * 15 + "1", True), ("s3cr3t", False), ("ab" * 32, True)])
def test_other_secrets_are_taken(text: str, ours: bool) -> None:
    """How long the secret of a store is, its owner decides; ours has at least 16 characters."""
    assert weakness(text, user="recorder", ours=ours) == ""


@pytest.mark.parametrize(
    ("setting", "name", "text"),
    [
        ("api.token_file", "api.token", "changeme"),
        ("index.password_file", "index.password", "keepsight"),
        ("pools.main.secret_file", "pool.secret", "minioadmin"),
        ("internal.key_file", "internal.key", "short"),
        ("cameras.key_file", "camera.key", "0" * 64),
    ],
)
def test_a_guessable_secret_is_refused(tmp_path: Path, setting: str, name: str, text: str) -> None:
    """(6) Whichever it is: file and setting are named, the secret is not."""
    secret(tmp_path / name, text)
    (problem,) = problems_of_files(settings_of(tmp_path, **{setting.replace(".", "__"): name}))
    assert problem.rule is Rule.GUESSED
    assert setting in problem.mend
    assert str(tmp_path / name) in problem.sentence
    assert text not in str(problem).replace(str(tmp_path), "").replace("Keepsight", "").split()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
@pytest.mark.parametrize(
    ("setting", "name"), [("api.token_file", "api.token"), ("index.password_file", "index.password"), ("index.key_file", "client.key")]
)
def test_a_secret_others_can_read_is_refused(tmp_path: Path, mode: int, setting: str, name: str) -> None:
    """(7) Tokens, passwords and keys of certificates; the sentence has the command that mends it."""
    secret(tmp_path / name, GOOD, mode)
    (problem,) = problems_of_files(settings_of(tmp_path, **{setting.replace(".", "__"): name}))
    assert (problem.rule, problem.mend) == (Rule.OPEN_FILE, f"see {setting}")
    assert f"chmod 600 {tmp_path / name}" in problem.sentence


@pytest.mark.parametrize("text", [None, ""])
def test_a_secret_that_is_not_there_is_refused(tmp_path: Path, text: str | None) -> None:
    """(6) Missing or empty."""
    if text is not None:
        secret(tmp_path / "camera.key", text)
    (problem,) = problems_of_files(settings_of(tmp_path, cameras__key_file="camera.key"))
    assert problem.rule is Rule.OPEN_FILE


def test_a_key_an_earlier_start_made_is_looked_at(tmp_path: Path) -> None:
    """(7) Also where the settings name none."""
    settings = settings_of(tmp_path)
    settings.camera_key_path.parent.mkdir(parents=True)
    secret(settings.camera_key_path, "ab" * 32, 0o644)
    assert [problem.rule for problem in problems_of_files(settings)] == [Rule.OPEN_FILE]


def test_a_spool_open_to_others_is_refused(tmp_path: Path) -> None:
    """(7) Footage of the spool is for its owner."""
    settings = settings_of(tmp_path)
    settings.spool_folder.mkdir(parents=True, mode=0o700)
    assert problems_of_files(settings) == []
    settings.spool_folder.chmod(0o750)
    (problem,) = problems_of_files(settings)
    assert (problem.rule, problem.mend) == (Rule.OPEN_FILE, f"run: chmod 700 {settings.spool_folder}")


def test_all_problems_are_said_at_once(tmp_path: Path) -> None:
    """A line each, so that nobody mends one after the other; one alone is one sentence."""
    problems = problems_of(settings_of(tmp_path, api__host="0.0.0.0", access__open=True, index__hosts=["10.0.0.1"]))
    with pytest.raises(
        StartRefused, match=r"(?s)not safe to start:\n  api\.host 0\.0\.0\.0 .*\n  connections to Cassandra at 10\.0\.0\.1 "
    ):
        refuse(problems)
    with pytest.raises(StartRefused, match=r"^api\.host 0\.0\.0\.0 can be reached"):
        refuse(problems[:1])


# --- the clock: (12) ---


def test_an_unsynchronised_clock_is_refused_where_it_matters(tmp_path: Path) -> None:
    """(12) By setting; a fleet of nodes asks for it by itself, one machine does not."""
    asked = settings_of(tmp_path, clock__require_sync=True)
    (problem,) = problems_of_clock(asked, lambda: False)
    assert problem.rule is Rule.CLOCK
    assert problems_of_clock(asked, lambda: True) == []
    assert problems_of_clock(settings_of(tmp_path), lambda: False) == []
    assert [one.rule for one in problems_of_clock(settings_of(tmp_path, fleet__kind="ray"), lambda: False)] == [Rule.CLOCK]
    assert problems_of_clock(settings_of(tmp_path, fleet__kind="ray", clock__require_sync=False), lambda: False) == []


# --- Cassandra's login: (2) (3); against a real server in bench/promise_r25.py ---


@asynccontextmanager
async def answering(reply: Callable[[bytes], bytes]) -> AsyncIterator[int]:
    """A server that answers each frame of the native protocol, by its opcode and body."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.read(9):
                body = await reader.readexactly(int.from_bytes(head[5:]))
                writer.write(reply(head[4:5] + body))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def frame(opcode: int, body: bytes = b"") -> bytes:
    return struct.pack(">BBhBi", 0x84, 0, 0, opcode, len(body)) + body


def with_login(refused: bytes) -> Callable[[bytes], bytes]:
    return lambda asked: (
        frame(0x03, b"\0\4auth") if asked[0] == 1 else frame(0x00, refused) if refused else frame(0x10, b"\xff\xff\xff\xff")
    )


@pytest.mark.parametrize(
    ("reply", "login", "rule"),
    [
        (lambda _: frame(0x02), Login.OPEN, Rule.INDEX_LOGIN),
        (with_login(b""), Login.DEFAULT, Rule.INDEX_SUPERUSER),
        (with_login(struct.pack(">ih3s", 0x0100, 3, b"bad")), Login.CLOSED, None),
        (lambda _: b"HTTP/1.1 400 Bad Request\r\n\r\n", Login.AWAY, None),
        (lambda _: struct.pack(">BBhBi", 0x84, 0, 0, 2, 1 << 30), Login.AWAY, None),
    ],
    ids=["open", "default", "closed", "no-cassandra", "too-long"],
)
async def test_what_a_server_says_to_strangers(tmp_path: Path, reply: Callable, login: Login, rule: Rule | None) -> None:
    """(2) (3) One that asks for no login, or takes the one everybody knows, is refused; one that does not answer is passed over."""
    async with answering(reply) as port:
        assert await asked_login("127.0.0.1", port, None) is login
        problems = await problems_of_index(settings_of(tmp_path, index__port=port))
    assert [problem.rule for problem in problems] == ([rule] if rule else [])
    assert all("127.0.0.1" in problem.sentence and "index.user" in problem.mend for problem in problems)


async def test_a_server_that_is_away_is_passed_over(tmp_path: Path) -> None:
    """Nobody listens: whether the index can be used, opening it says."""
    assert await problems_of_index(settings_of(tmp_path, index__port=free_port())) == []
    assert await problems_of_index(load_settings(None, {})) == []


# --- Ray's token: (1); against a real cluster in bench/promise_r25.py ---


@pytest.mark.parametrize(
    ("environment", "rules"),
    [
        ({}, [Rule.RAY]),
        ({"RAY_AUTH_MODE": "disabled", "RAY_AUTH_TOKEN": GOOD}, [Rule.RAY]),
        ({"RAY_AUTH_MODE": "token", "HOME": "/nonexistent"}, [Rule.RAY]),
        ({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "short"}, [Rule.GUESSED]),
        ({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": GOOD}, []),
    ],
)
def test_ray_without_a_token_is_refused(environment: dict[str, str], rules: list[Rule]) -> None:
    """(1) Switched off, not there, or short; the sentence does not hold it."""
    problems = ray_problems(environment)
    assert [problem.rule for problem in problems] == rules
    assert not any(GOOD in str(problem) for problem in problems)
    if rules:
        with pytest.raises(StartRefused):
            refuse(problems)


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_rays_token_may_lie_in_a_file_of_its_own(tmp_path: Path, mode: int) -> None:
    """Which only its owner can read."""
    path = secret(tmp_path / "token", GOOD, mode)
    assert len(ray_problems({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(path)})) == (mode != 0o600)
