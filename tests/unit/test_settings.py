"""The configuration: every key, its overrides, its refusals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
from pydantic import BaseModel

from deploy.settings import Settings, base_url, load_settings
from segments.errors import StartRefused

VALUES: dict[str, Any] = {
    "site.name": "xiamen",
    "site.folder": "/srv/keepsight",
    "node.name": "rack-3",
    "spool.folder": "/fast/spool",
    "spool.max_bytes": 1 << 30,
    "spool.min_free_bytes": 1 << 20,
    "index.kind": "cassandra",
    "index.path": "/srv/index.sqlite",
    "index.hosts": ["10.0.0.1", "10.0.0.2"],
    "index.port": 9142,
    "index.datacenter": "east",
    "index.keyspace": "footage",
    "index.replication.east": 3,
    "index.user": "keepsight",
    "index.password_file": "/etc/keepsight/index.password",
    "index.ca_file": "/etc/keepsight/ca.pem",
    "index.certificate_file": "/etc/keepsight/client.pem",
    "index.key_file": "/etc/keepsight/client.key",
    "default_pool": "archive",
    "api.host": "::1",
    "api.port": 9000,
    "api.token_file": "/etc/keepsight/token",
    "api.certificate_file": "/etc/keepsight/api.pem",
    "api.key_file": "/etc/keepsight/api.key",
    "access.open": True,
    "access.key_days": 30,
    "access.session_idle_s": 600,
    "access.session_lasts_s": 3600,
    "internal.host": "10.1.2.3",
    "internal.port": 9001,
    "internal.advertise": "https://node-3.example:9001",
    "internal.key_file": "/etc/keepsight/internal.key",
    "internal.certificate_file": "/etc/keepsight/node.pem",
    "internal.certificate_key_file": "/etc/keepsight/node.key",
    "internal.ca_file": "/etc/keepsight/nodes-ca.pem",
    "internal.plain": True,
    "access.consent_hours": 2.5,
    "access.oidc.issuer": "https://id.example.org",
    "access.oidc.client_id": "keepsight",
    "access.oidc.client_secret_file": "/etc/keepsight/oidc.secret",
    "access.oidc.base_url": "https://video.example.org",
    "access.oidc.audience": "keepsight-api",
    "access.oidc.algorithms": ["PS512", "EdDSA"],
    "access.oidc.scopes": ["openid", "video"],
    "access.oidc.claims.roles": "realm_access.roles",
    "access.oidc.claims.name": "display_name",
    "access.oidc.claims.unit": "department",
    "access.oidc.claims.areas": "video_areas",
    "access.oidc.claims.classes": "video_classes",
    "access.oidc.claims.cameras": "video_cameras",
    "access.oidc.roles.east": "operator",
    "access.oidc.without_scope": "everything",
    "access.oidc.session_s": 3600,
    "access.oidc.ca_file": "/etc/keepsight/id-ca.pem",
    "playback.delivery": "links",
    "playback.no_links_pools": ["archive"],
    "playback.no_links_tiers": ["vault", "key-area"],
    "playback.link_s": 30,
    "playback.link_keys_file": "/k/links.keys",
    "limits.requests": 17,
    "limits.requests_per_client": 7,
    "limits.costly": 3,
    "limits.costly_per_client": 2,
    "limits.plans": 3,
    "limits.plan_s": 90.5,
    "limits.consumer.requests_per_s": 5.5,
    "limits.consumer.streams": 3,
    "limits.consumer.bytes_per_s": 1_000_000,
    "limits.consumer.export_hours_per_day": 2.5,
    "limits.consumer.timeline_days_per_minute": 31.0,
    "fleet.kind": "ray",
    "fleet.address": "10.0.0.9:6379",
    "fleet.recorders": 3,
    "fleet.cameras_per_recorder": 100,
    "fleet.shards": 12,
    "fleet.lease_s": 5.0,
    "clock.require_sync": True,
    "logs.format": "json",
    "metrics.key_file": "/etc/keepsight/metrics.key",
    "recording.segment_s": 30,
    "recording.silence_s": 4.5,
    "cameras.networks": ["10.9.0.0/16", "fd00::/8"],
    "cameras.allow_loopback": True,
    "cameras.key_file": "/etc/keepsight/cameras.key",
    "webhooks.key_file": "/etc/keepsight/webhooks.key",
    "webhooks.http": True,
    "webhooks.loopback": True,
    "webhooks.networks": ["10.8.0.0/16"],
    "webhooks.look_back_s": 3600,
    "retention.shortest_floor_days": 7,
    "retention.notice_days": 3,
    "retention.grace_s": 120,
    "retention.sweep_objects_per_s": 50,
    "retention.sweep_shards": 3,
    "retention.high_mark": 0.97,
    "retention.low_mark": 0.8,
    "replication.host": "10.1.2.4",
    "replication.port": 9002,
    "replication.certificate_file": "/etc/keepsight/site.pem",
    "replication.certificate_key_file": "/etc/keepsight/site.key",
    "replication.advertise": "https://north.example:9002",
    "replication.late_s": 600,
    "replication.soon_s": 30,
    "replication.scrub_mib_per_s": 2.5,
    "replication.scrub_days": 14,
    "replication.backup_pool": "archive",
    "replication.backup_every_h": 6,
    "replication.backup_keep": 3,
    "replication.witness": "south",
    "replication.take_over_after_s": 90,
    "exports.running": 2,
    "exports.threads": 3,
    "exports.waiting": 7,
    "exports.waiting_per_subject": 2,
    "exports.max_span_hours": 24,
    "exports.max_result_bytes": 1 << 30,
    "exports.min_free_bytes": 1 << 20,
    "exports.keep_hours": 5,
    "exports.remember_days": 2,
    "exports.ffmpeg": "/opt/ffmpeg/bin/ffmpeg",
    "exports.font_file": "/srv/fonts/cjk.ttc",
    "exports.time_zone": "Asia/Shanghai",
}
"""A value for each key that is not the default."""

CASSANDRA = {"index.kind": "cassandra", "index.hosts": ["127.0.0.1"], "index.datacenter": "east"}
TOGETHER = (
    ("api.certificate_file", "api.key_file"),
    tuple(f"access.oidc.{name}" for name in ("issuer", "client_id", "base_url", "audience", "roles.east")),
    ("internal.certificate_file", "internal.certificate_key_file", "internal.ca_file"),
    ("replication.certificate_file", "replication.certificate_key_file"),
)
"""Keys that are right only with each other."""


def beside(key: str) -> dict[str, Any]:
    """What must be set too for a key to be taken, the key itself included."""
    needed = CASSANDRA if (key.startswith("index.") and key != "index.path") or key == "fleet.kind" else {}
    pools = {f"pools.{name}.kind": "files" for name in ("main", "archive")} if "archive" in str(VALUES[key]) else {}
    sites = {"sites.south.url": "https://south.example", "sites.south.key_file": "south.key"} if VALUES[key] == "south" else {}
    others = {other: VALUES[other] for group in TOGETHER if key in group for other in group}
    return {**pools, **sites, **needed, **others, key: VALUES[key]}


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """All keys but those of pools, their rules and other sites; where a section has several kinds, those of each."""
    for name, field in (
        (name, field) for name, field in model.model_fields.items() if name not in ("pools", "pool", "pool_rules", "sites")
    ):
        sections = [
            kind for kind in (field.annotation, *parts_of(field.annotation)) if isinstance(kind, type) and issubclass(kind, BaseModel)
        ]
        for section in sections:
            yield from keys(section, f"{prefix}{name}.")
        if not sections:
            yield prefix + (f"{name}.east" if get_origin(field.annotation) is dict else name)


def parts_of(annotation: Any) -> Iterator[Any]:
    """The members of a union, through the annotations around them."""
    for part in get_args(annotation):
        yield part
        yield from parts_of(part)


def written(folder: Path, text: str) -> Path:
    (path := folder / "keepsight.toml").write_text(text)
    return path


def value_of(settings: Settings, key: str) -> Any:
    value = settings
    for part in key.split("."):
        value = value[part] if isinstance(value, dict) else getattr(value, part)
    return value


def plain(value: Any) -> Any:
    return [str(item) for item in value] if isinstance(value, tuple) else str(value) if isinstance(value, Path) else value


def test_this_test_knows_every_key() -> None:
    """A key that is added must be added here."""
    assert set(keys(Settings)) == set(VALUES)
    assert len(get_args(Settings.model_fields["pools"].annotation)) == 2


def in_toml(values: dict[str, Any]) -> str:
    """Dotted keys as a file: those without a section first."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in values.items() if "." not in key]
    for key, value in values.items():
        section, _, name = key.rpartition(".")
        lines += [f"{section}.{name} = {json.dumps(value)}"] if section else []
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("key", VALUES)
def test_every_key_is_read(tmp_path: Path, key: str) -> None:
    """From the file, alone, as it is meant."""
    settings = load_settings(written(tmp_path, in_toml(beside(key))), {})

    assert plain(value_of(settings, key)) == VALUES[key]


@pytest.mark.parametrize("key", VALUES)
def test_the_environment_overrides_every_key(tmp_path: Path, key: str) -> None:
    """A variable wins over the file, whatever the file says."""
    environment = {f"KEEPSIGHT_{name.replace('.', '__').upper()}": in_variable(value) for name, value in beside(key).items()}
    other = '[site]\nname = "home"\n'

    settings = load_settings(written(tmp_path, other), {**environment, "PATH": "/bin", "KEEPSIGHT_CONFIG": "x"})

    assert plain(value_of(settings, key)) == VALUES[key]


def in_variable(value: Any) -> str:
    """A value as the environment has it."""
    return ",".join(value) if isinstance(value, list) else str(value).lower() if isinstance(value, bool) else str(value)


def test_defaults_lie_in_one_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a file everything is under ./keepsight-data, as an absolute path."""
    monkeypatch.chdir(tmp_path)
    settings = load_settings(None, {})

    home = tmp_path / "keepsight-data"
    assert settings.spool_folder == home / "spool"
    assert settings.index_path == home / "index.sqlite"
    assert settings.camera_key_path == home / "keys" / "cameras.key"
    assert settings.internal_key_path == home / "keys" / "internal.key"
    assert settings.socket_path == home / "run" / "uploader.sock"


def test_relative_paths_belong_to_the_folder_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not to wherever the program was started."""
    monkeypatch.chdir("/")
    text = """
[site]
folder = "data"
[spool]
folder = "spool"
[index]
path = "i.sqlite"
[api]
token_file = "t"
[internal]
key_file = "k"
[cameras]
key_file = "c"
"""
    settings = load_settings(written(tmp_path, text), {})

    assert [
        settings.site.folder,
        settings.spool_folder,
        settings.index_path,
        settings.api.token_file,
        settings.internal_key_path,
        settings.camera_key_path,
    ] == [tmp_path / name for name in ("data", "spool", "i.sqlite", "t", "k", "c")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[api]\nprot = 1\n", "api.prot: unknown key"),
        ("[ap]\nport = 1\n", "ap: unknown key"),
        ("[pools.main]\nkind = 'files'\nfoldr = 'x'\n", "foldr: unknown key"),
        ("[pools.main]\nkind = 'tape'\n", "pools.main"),
        ("[pools.main]\nfolder = 'x'\n", "pools.main"),
        ("[pools.'../x']\nkind = 'files'\n", "pools"),
        ("[pools.'']\nkind = 'files'\n", "pools"),
        ("[pools.main]\nkind = 's3'\n", "endpoint"),
        ("default_pool = 'no'\n", "default_pool 'no' is not one of the pools"),
        ("[site]\nname = 'has-dash'\n", "site.name"),
        ("[site]\nname = ''\n", "site.name"),
        ("[spool]\nmax_bytes = 5\n", "spool.max_bytes"),
        ("[fleet]\nlease_s = 0.5\n", "fleet.lease_s"),
        ("[fleet]\nkind = 'ray'\n", "set index.kind to cassandra"),
        ("[index]\nkind = 'oracle'\n", "index"),
        ("[index]\nkind = 'cassandra'\ndatacenter = 'east'\n", "hosts"),
        ("[index]\nhosts = ['10.0.0.1']\n", "hosts: unknown key"),
        ("[node]\nname = 'a/b'\n", "node.name"),
        ("[limits]\ncostly = 0\n", "limits.costly"),
        ("[api]\ncertificate_file = 'a.pem'\n", "certificate_file and key_file belong together"),
        ("[internal]\ncertificate_file = 'a.pem'\ncertificate_key_file = 'a.key'\n", "belong together"),
        ("[fleet]\nrecorders = 0\n", "fleet.recorders"),
        ("[recording]\nsegment_s = 301\n", "recording.segment_s"),
        ("[cameras]\nnetworks = ['10.0.0.1/8']\n", "cameras.networks"),
        ("[api]\nport = 0\n", "api.port"),
        ("[api]\nport = 70000\n", "api.port"),
        ("[api]\nport = 8481\n", "must differ"),
        ("[retention]\nshortest_floor_days = 0\n", "shortest_floor_days"),
        ("[retention]\ngrace_s = 119\n", "retention.grace_s"),
        ("[retention]\nlow_mark = 0.95\n", "low_mark has to be below high_mark"),
        ("api = 3\n", "api"),
        ("not toml", "not TOML"),
        ("[api]\nport = 'x'\n[site]\nname = '!'\n", "site.name"),
    ],
)
def test_wrong_configurations_are_refused_by_name(tmp_path: Path, text: str, said: str) -> None:
    """The refusal names file and key; all wrong keys at once."""
    path = written(tmp_path, text)
    with pytest.raises(StartRefused) as error:
        load_settings(path, {})
    assert str(path) in str(error.value)
    assert said in str(error.value)


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes | None) -> None:
    """Missing, or no text."""
    path = tmp_path / "keepsight.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StartRefused, match=str(path)):
        load_settings(path, {})


def test_a_variable_through_a_value_is_refused(tmp_path: Path) -> None:
    """`KEEPSIGHT_SITE__NAME__X` has nowhere to go; an unknown one is refused like an unknown key."""
    with pytest.raises(StartRefused, match="KEEPSIGHT_SITE__NAME__X"):
        load_settings(written(tmp_path, "[site]\nname = 'a'\n"), {"KEEPSIGHT_SITE__NAME__X": "1"})
    with pytest.raises(StartRefused, match=r"api\.prot: unknown key"):
        load_settings(None, {"KEEPSIGHT_API__PROT": "1"})


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8480"),
        ("::1", "http://[::1]:8480"),
        ("0.0.0.0", "http://127.0.0.1:8480"),
        ("::", "http://[::1]:8480"),
    ],
)
def test_neighbours_reach_a_host_by_its_url(host: str, url: str) -> None:
    """Also where it listens everywhere, or by IPv6."""
    assert base_url(host, 8480) == url
    assert base_url(host, 8480, tls=True) == url.replace("http:", "https:")


def test_an_address_says_whether_it_is_by_tls(tmp_path: Path) -> None:
    """With a certificate, each of the two services is reached by https."""
    plain_settings = load_settings(None, {})
    settings = load_settings(written(tmp_path, in_toml({**beside("api.key_file"), **beside("internal.ca_file")})), {})

    assert (plain_settings.api_url, plain_settings.internal_url) == ("http://127.0.0.1:8480", "http://127.0.0.1:8481")
    assert (settings.api_url, settings.internal_url) == ("https://127.0.0.1:8480", "https://127.0.0.1:8481")


@pytest.mark.parametrize(
    ("fleet", "lease_s", "requires_sync"), [({}, 15.0, False), ({**CASSANDRA, "fleet.kind": "ray", "node.name": "one"}, 2.5, True)]
)
def test_what_follows_from_the_fleet(tmp_path: Path, fleet: dict[str, Any], lease_s: float, requires_sync: bool) -> None:
    """Nodes that take over for each other have shorter leases, and must agree on the time."""
    settings = load_settings(written(tmp_path, in_toml(fleet)), {})

    assert (settings.lease_s, settings.requires_sync) == (lease_s, requires_sync)
    assert settings.node_name == ("one" if fleet else "local")
    assert settings.shards == 1


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("", "http://127.0.0.1:8481"),
        ('[internal]\nadvertise = "https://10.0.0.21:8481"\n', "https://10.0.0.21:8481"),
    ],
)
def test_other_nodes_are_told_where_to_ask(tmp_path: Path, text: str, url: str) -> None:
    """The address that is advertised, else the one that is listened on."""
    (tmp_path / "keepsight.toml").write_text(text)

    assert load_settings(tmp_path / "keepsight.toml", {}).place_url == url


@pytest.mark.parametrize("url", ["10.0.0.21:8481", "ftp://10.0.0.21", "https://user:secret@10.0.0.21", "https://10.0.0.21/path"])
def test_an_address_that_is_none_is_refused(tmp_path: Path, url: str) -> None:
    """A scheme and a place, nothing else."""
    (tmp_path / "keepsight.toml").write_text(f'[internal]\nadvertise = "{url}"\n')

    with pytest.raises(StartRefused, match="advertise"):
        load_settings(tmp_path / "keepsight.toml", {})
