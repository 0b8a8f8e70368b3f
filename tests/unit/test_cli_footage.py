"""Commands that import, check, rebuild and export, and those that ask the running service."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from segments.clock import from_datetime, iso
from tests.command_line import PASSWORD, URL, Keepsight, answering
from tests.media import Clips, frame_numbers
from tests.servers.processes import free_port


@pytest.fixture
def keepsight(tmp_path: Path) -> Keepsight:
    return Keepsight(tmp_path)


# --- import ---


def test_import_adds_all_or_none(keepsight: Keepsight) -> None:
    """A bad line, a camera that is there, an unknown pool: each is named, nothing is added; without them all are, passwords sealed."""
    keepsight("camera", "add", "gate", URL)
    good = f"id,name,url\ndoor,前门,rtsp://admin:{PASSWORD}@192.0.2.11/\nyard,院子,rtsp://192.0.2.12/\n"
    file = keepsight.folder / "cameras.csv"

    for spoiled, line in ((good + "!,x,rtsp://192.0.2.13/\n", 4), (good + "gate,x,rtsp://192.0.2.13/\n", 0)):
        file.write_text(spoiled)
        answer = keepsight.json("camera", "import", str(file), code=2)
        assert [bad["line"] for bad in answer["bad"]] == [line]
        assert answer["added"] == 0
        assert "nothing was added" in keepsight("camera", "import", str(file), code=2).stdout
    assert keepsight.cameras() == ["gate"]
    pool = good.replace("id,name,url", "id,name,url,pool").replace("/\n", "/,none\n")
    assert len(keepsight.json("camera", "import", "-", text=pool, code=2)["bad"]) == 2

    file.write_bytes(b"\xef\xbb\xbf" + good.encode())
    assert keepsight.json("camera", "import", str(file), "--dry-run") == {"cameras": 2, "added": 0, "bad": []}
    assert keepsight.cameras() == ["gate"]
    assert keepsight.json("camera", "import", str(file)) == {"cameras": 2, "added": 2, "bad": []}
    assert keepsight.cameras() == ["door", "gate", "yard"]
    assert keepsight.credential("door") == PASSWORD
    assert keepsight.json("camera", "show", "door")["name"] == "前门"


def test_an_import_that_fails_in_the_middle_takes_back_what_it_added(keepsight: Keepsight, monkeypatch: pytest.MonkeyPatch) -> None:
    """The index goes away at the fourth camera: 4, and neither cameras nor passwords are left of it."""
    from segments.errors import TryAgain
    from segments.stores.sqlite_index import SqliteIndex

    add, count = SqliteIndex.add_camera, 0

    async def failing(self, camera) -> None:
        nonlocal count
        count += 1
        if count == 4:
            raise TryAgain("the index went away")
        await add(self, camera)

    monkeypatch.setattr(SqliteIndex, "add_camera", failing)
    text = "id,url\n" + "".join(f"camera-{n},rtsp://admin:{PASSWORD}@192.0.2.{n}/\n" for n in range(1, 7))

    assert "went away" in keepsight.refused("camera", "import", "-", text=text, code=4)
    assert keepsight.cameras() == []
    assert [keepsight.credential(f"camera-{n}") for n in range(1, 7)] == [None] * 6


def test_text_that_is_not_utf_8_is_2(keepsight: Keepsight) -> None:
    """A spreadsheet saved in GBK is told so."""
    file = keepsight.folder / "cameras.csv"
    file.write_bytes("id,name,url\ngate,门口,rtsp://192.0.2.1/\n".encode("gbk"))

    assert "UTF-8" in keepsight.refused("camera", "import", str(file), code=2)


@pytest.mark.parametrize("text", ["", '"id,url\n', "id,url\n"])
def test_files_without_a_camera(keepsight: Keepsight, text: str) -> None:
    """Empty or broken is wrong input; a header alone adds nothing."""
    keepsight("camera", "import", "-", text=text, code=0 if text == "id,url\n" else 2)


def test_a_camera_that_cannot_be_recorded_is_1(keepsight: Keepsight) -> None:
    """The look was done, and what was looked at is not fine."""
    keepsight("camera", "add", "gate", f"rtsp://admin:{PASSWORD}@127.0.0.1:{free_port()}/1")

    assert keepsight.json("camera", "test", "gate", "--seconds", "2", code=1)["cause"] == "camera-away"
    assert "cannot be recorded" in keepsight("camera", "test", "gate", "--seconds", "2", code=1).stdout


# --- footage and stores ---


def test_verify_and_rebuild(keepsight: Keepsight, clips: Clips) -> None:
    """0 while both sides agree, 1 where one lacks something; a rebuild makes lost rows anew, and leaves out what is none of ours."""
    now = datetime.now(UTC).replace(microsecond=0)
    keepsight("camera", "add", "gate", URL)
    keepsight.fill(clips, now - timedelta(hours=1))
    assert keepsight.json("verify")[0]["findings"] == []
    assert "agree" in keepsight("verify", "hash").stdout

    objects = sorted((keepsight.folder / "keepsight-data" / "pools" / "main" / "gate").rglob("*.mp4"))
    assert len(objects) == 2
    kept = objects[1].read_bytes()
    objects[1].unlink()
    answer = keepsight.json("verify", code=1)[0]
    assert (len(answer["findings"]), answer["lost"]) == (1, 1)
    objects[1].write_bytes(kept)
    (keepsight.folder / "keepsight-data" / "index.sqlite").unlink()
    made = keepsight.json("index", "rebuild")
    assert (made[0]["pool"], made[0]["rows"], made[0]["left_out"]) == ("main", 2, 0)
    keepsight("verify", "hash")
    objects[0].write_bytes(b"damaged")
    assert "1 objects left out" in keepsight("index", "rebuild", code=1).stdout


def test_export_writes_what_plays(keepsight: Keepsight, clips: Clips) -> None:
    """And refuses to write over it."""
    keepsight("camera", "add", "gate", URL)
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=10)
    keepsight.fill(clips, start)
    file = keepsight.folder / "gate.mp4"

    (written,) = keepsight.json("export", "gate", str(file), "--from", start.isoformat())

    assert written["file"] == str(file)
    assert written["bytes"] == file.stat().st_size
    assert frame_numbers(file) == list(range(100))
    assert "there already" in keepsight.refused("export", "gate", str(file), code=2)


# --- what asks the service ---


ASKING = [["timeline", "gate"], ["status"], ["play", "gate"]]


@pytest.mark.parametrize("words", ASKING, ids=" ".join)
def test_no_service_is_4(keepsight: Keepsight, words: list[str]) -> None:
    """The sentence says where it was looked for and how to start it."""
    sentence = keepsight.refused(*words, code=4)

    assert f"http://127.0.0.1:{keepsight.api_port}" in sentence
    assert "keepsight serve" in sentence


@pytest.mark.parametrize("words", ASKING, ids=" ".join)
@pytest.mark.parametrize(
    ("status", "body", "code", "said"),
    [
        (404, b'{"title": "NotFound", "detail": "there is no camera gate"}', 2, "there is no camera gate"),
        (400, b'{"title": "BadInput", "detail": "the span is too long"}', 2, "the span is too long"),
        (401, b'{"title": "a token is wanted"}', 4, "a token is wanted"),
        (503, b'{"title": "TryAgain", "detail": "the index does not answer"}', 4, "the index does not answer"),
        (200, b"<html>It works!</html>", 4, "no Keepsight"),
        (500, b"[]", 4, "500"),
    ],
)
def test_what_the_service_answers_decides(keepsight: Keepsight, words: list[str], status: int, body: bytes, code: int, said: str) -> None:
    """Its own words come through, with the code of their kind."""
    with answering(keepsight.api_port, status, body):
        assert said in keepsight.refused(*words, code=code)


def test_the_timeline_is_asked_for_with_the_token(keepsight: Keepsight) -> None:
    """For the span given; its JSON comes through, a table for people."""
    token = keepsight.folder / "token"
    token.write_text("t0ken\n")
    token.chmod(0o600)
    keepsight.config.write_text(keepsight.config.read_text().replace("[internal]", f"token_file = '{token}'\n[internal]"))
    span = {"from": "2026-03-14T12:00:00.000Z", "to": "2026-03-14T12:01:00.000Z"}
    body = {
        "spans": [
            {**span, "kind": "footage", "codecs": "avc1.640028"},
            {**span, "kind": "gap", "cause": "camera-away", "detail": "no route"},
        ],
        "buckets": [],
    }
    with answering(keepsight.api_port, 200, json.dumps(body).encode()) as asked:
        arguments = ["timeline", "gate", "--from", "2026-03-14T12:00:00Z", "--to", "2026-03-14T13:00:00+01:00"]
        keepsight.refused(*arguments, code=2)  # the same moment twice
        arguments[-1] = "2026-03-14T13:00:00Z"
        assert keepsight.json(*arguments) == body
        shown = keepsight(*arguments).stdout
    assert "camera-away no route" in shown
    assert "avc1.640028" in shown
    assert len(asked) == 2
    assert "/api/v1/cameras/gate/timeline?" in asked[0]
    assert asked[0].endswith("Bearer t0ken")
    assert "t0ken" not in shown


def test_status_is_1_where_there_are_alarms(keepsight: Keepsight) -> None:
    """0 while all is well."""
    body = {"cameras": {"recording": 4}, "alarms": []}
    with answering(keepsight.api_port, 200, json.dumps(body).encode()):
        assert keepsight.json("status") == body
        assert "recording 4" in keepsight("status").stdout
    body["alarms"] = [{"text": "the spool is full"}]
    with answering(keepsight.api_port, 200, json.dumps(body).encode()):
        assert keepsight.json("status", code=1) == body
        assert "the spool is full" in keepsight("status", code=1).stdout


def test_play_prints_addresses(keepsight: Keepsight) -> None:
    """The page, and HLS for any player, from the moment asked for."""
    with answering(keepsight.api_port, 200, b"{}"):
        shown = keepsight("play", "gate", "--at", "2026-03-14T12:00:00Z").stdout

    assert f"http://127.0.0.1:{keepsight.api_port}/#/camera/gate/at/{iso(from_datetime(datetime(2026, 3, 14, 12, tzinfo=UTC)))}" in shown
    assert "/api/v1/cameras/gate/hls/multivariant.m3u8?from=2026-03-14T12:00:00.000Z&to=" in shown
