"""No secret ever leaves (promise R21): canaries as password, token and keys are looked for in all that a live service says and leaves."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path

import pytest

from tests.leaks import ENVIRONMENT, PASSWORD, PRINTED, Said, forms, leaks_below, listen
from tests.media import Clips
from tests.servers.s3 import S3Server

pytestmark = [pytest.mark.server, pytest.mark.slow]


@pytest.fixture(scope="module")
def said(clips: Clips, s3_server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Said:
    """All that was said and left by one service."""
    return asyncio.run(listen(tmp_path_factory.mktemp("said"), clips, s3_server))


def test_no_secret_is_found_anywhere(said: Said) -> None:
    """Log, API, commands, process list, environments, index, spool, objects, exports: none holds one, in any form."""
    assert len(said.places) > 100
    assert said.leaks() == []


def test_what_is_printed_on_purpose_is_found(said: Said) -> None:
    """The control: a camera's name is in the API's answers, in the index and in what commands print, and the search sees it there."""
    places = said.holding(PRINTED)
    assert {"API /cameras", "file index.sqlite", "keepsight camera list"} <= set(places)


def test_a_recorder_sees_nothing_of_the_environment(said: Said) -> None:
    """What may hold keys is not handed on to the process that reads foreign streams."""
    holding = said.holding(ENVIRONMENT)
    assert "environment of recorder-0" not in holding
    assert "environment of serve" in holding


def test_a_secret_below_a_folder_is_found(tmp_path: Path) -> None:
    """The control of the search in what other programs keep: plain or coded, at any depth, but where it belongs."""
    (tmp_path / "session" / "logs").mkdir(parents=True)
    (tmp_path / "session" / "logs" / "worker.out").write_bytes(b"argument: " + base64.b64encode(PASSWORD.encode()))
    (tmp_path / "session" / "token").write_text(PASSWORD)

    assert leaks_below(tmp_path, {"password": PASSWORD}, but=("token",)) == ["password in session/logs/worker.out"]
    assert len(leaks_below(tmp_path, {"password": PASSWORD})) == 2


@pytest.mark.parametrize("around", ["{}", "rtsp://u:{}@host/", '{{"detail": "{}"}}'])
def test_every_form_is_looked_for(around: str) -> None:
    """A secret in the middle of other text is found, plain or in base64."""
    text = around.format(PASSWORD).encode()
    for coded in (text, base64.b64encode(text), base64.urlsafe_b64encode(b"ops:" + text), text.hex().encode()):
        assert any(form in coded for form in forms(PASSWORD))
