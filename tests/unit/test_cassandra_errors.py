"""What an error of Cassandra or its driver becomes: by what the caller can do, and without a secret."""

from __future__ import annotations

import sys
from pathlib import Path
from ssl import SSLCertVerificationError
from types import ModuleType

import pytest
from cassandra import (
    AuthenticationFailed,
    InvalidRequest,
    OperationTimedOut,
    ReadTimeout,
    Unauthorized,
    Unavailable,
    WriteFailure,
    WriteTimeout,
)
from cassandra.cluster import NoHostAvailable
from cassandra.connection import ConnectionShutdown

from deploy.cluster_index import cassandra_settings
from deploy.settings import CassandraIndexSettings
from segments.errors import KeepsightError, Refused, StartRefused, TryAgain, Unknown
from segments.stores.cassandra_errors import translate, translate_connecting

PASSWORD = "canary of a password"
AWAY = NoHostAvailable(f"all are away {PASSWORD}", {"a": ConnectionShutdown("gone")})


@pytest.mark.parametrize(
    ("error", "sent", "reading", "writing"),
    [
        (OperationTimedOut(), 1, TryAgain, Unknown),
        (WriteTimeout("", write_type=0, consistency=6, required_responses=2, received_responses=1), 1, TryAgain, Unknown),
        (ReadTimeout("", consistency=6, required_responses=2, received_responses=1), 1, TryAgain, Unknown),
        (WriteFailure("", write_type=0, failures=1), 1, TryAgain, Unknown),
        (ConnectionShutdown("gone"), 1, TryAgain, Unknown),
        (AWAY, 1, TryAgain, Unknown),
        (AWAY, 0, TryAgain, TryAgain),
        (Unavailable("", consistency=6, required_replicas=2, alive_replicas=1), 1, TryAgain, TryAgain),
        (Unavailable("", consistency=6, required_replicas=2, alive_replicas=1), 2, TryAgain, Unknown),
        (Unauthorized(PASSWORD), 1, Refused, Refused),
        (InvalidRequest("unconfigured table lease"), 1, Refused, Refused),
    ],
)
def test_an_error_says_what_can_be_done(error: Exception, sent: int, reading: type[KeepsightError], writing: type[KeepsightError]) -> None:
    """Unknown only for a write that reached a server which did not say that it has not begun."""
    for is_write, expected in ((False, reading), (True, writing)):
        ours = translate(error, writing=is_write, sent=sent)
        assert type(ours) is expected
        assert PASSWORD not in str(ours)


@pytest.mark.parametrize(
    ("error", "expected", "words"),
    [
        (NoHostAvailable("", {"a": AuthenticationFailed(PASSWORD)}), Refused, "index.password_file"),
        (NoHostAvailable("", {"a": PermissionError(1, "certificate")}), Refused, "index.ca_file"),
        (NoHostAvailable("", {"a": SSLCertVerificationError("certificate")}), Refused, "index.ca_file"),
        (NoHostAvailable("", {"a": ConnectionRefusedError("refused")}), TryAgain, "could not be reached"),
        (NoHostAvailable("", {}), TryAgain, "could not be reached"),
        (OperationTimedOut(), TryAgain, "in time"),
    ],
)
def test_a_connection_that_fails_says_why(error: Exception, expected: type[KeepsightError], words: str) -> None:
    """A login or a certificate needs a person, silence does not; the place is named."""
    ours = translate_connecting(error, "10.0.0.1:9042")
    assert type(ours) is expected
    assert words in str(ours)
    assert "10.0.0.1:9042" in str(ours)
    assert PASSWORD not in str(ours)


def test_a_missing_driver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A start without the extra says how to install it."""
    for name in [name for name in sys.modules if name.startswith("segments.stores.cassandra_")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cassandra", ModuleType("cassandra"))
    index = CassandraIndexSettings(kind="cassandra", hosts=("127.0.0.1",), datacenter="east")
    with pytest.raises(StartRefused, match=r"pip install 'keepsight\[cluster\]'"):
        cassandra_settings(index)


def test_a_user_has_a_password(tmp_path: Path) -> None:
    """A user without a file for the password is refused; the password is read from it and never shown."""
    index = CassandraIndexSettings(kind="cassandra", hosts=("127.0.0.1",), datacenter="east", user="keepsight")
    with pytest.raises(StartRefused, match=r"needs index\.password_file"):
        cassandra_settings(index)
    file = tmp_path / "password"
    file.write_text(PASSWORD)
    file.chmod(0o600)
    settings = cassandra_settings(index.model_copy(update={"password_file": file}))
    assert settings.password == PASSWORD
    assert PASSWORD not in repr(settings)
