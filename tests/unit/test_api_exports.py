"""`/exports` over memory stores, with the real maker: asking, rights at three moments, limits, fetching by range, archives."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from playback.exports.job import Rules, State
from playback.exports.make import ExportMaker
from playback.exports.queue import ExportQueue, Exports
from playback.exports.results import ResultWriter
from playback.exports.worker import ExportWorker
from segments.access import EVERYTHING, Role, Scope, Subject, Verb
from segments.audit import Act, Action
from segments.clock import US_PER_S, iso
from segments.errors import NotFound, Refused
from segments.stores.memory_objects import MemoryObjects
from tests.api import Api
from tests.builders import NOON_US, a_camera
from tests.footage import Take, recorded
from tests.media import Clips, frame_numbers


def somebody(name: str, *roles: Role, scope: Scope = EVERYTHING) -> Subject:
    """A subject whose id is its name."""
    return Subject(name, name, "分局", frozenset(roles), scope)


@dataclass
class People:
    """An access that believes the header `As`."""

    known_ones: dict[str, Subject] = field(default_factory=dict)

    async def allow(self, request: Any, verb: Verb, camera: str | None) -> Subject:
        """Only the roles are looked at here."""
        who = self.known_ones[request.headers.get("as", "li")]
        if not who.may(verb):
            raise Refused(f"no right to {verb}")
        return who

    async def known(self, subject_id: str) -> Subject | None:
        """As it is now."""
        return self.known_ones.get(subject_id)


@dataclass
class Notes:
    """A register and consents that remember; `refuses` cameras need a consent nobody gave."""

    acts: list[Act] = field(default_factory=list)
    refuses: set[str] = field(default_factory=set)

    async def write(self, act: Act) -> None:
        """See `Register`."""
        self.acts.append(act)

    async def check(self, who: Subject, action: Action, camera: str, span: Any, reason: str) -> str:
        """See `Consents`."""
        if camera in self.refuses:
            raise Refused(f"{camera}: a second person must consent")
        return reason


class Desk:
    """The service with two cameras, people, and a program that works when it is told to."""

    def __init__(self, rules: Rules | None = None) -> None:
        self.api = Api()
        self.results = MemoryObjects()
        self.notes = Notes()
        self.people = People({"li": somebody("li", Role.OPERATOR), "other": somebody("other", Role.OPERATOR)})
        self.people.known_ones["chief"] = somebody("chief", Role.ADMINISTRATOR)
        self.queue = ExportQueue(self.api.index, self.api.clock, rules)
        given = {"access": self.people, "register": self.notes, "consents": self.notes, "exports": Exports(self.queue, self.results)}
        self.services = self.api.services(**given)
        self.app = self.api.app(**given)
        self.room: list[int] = []

    async def fill(self, clips: Clips) -> None:
        """8 s of both cameras; of the second, 4 s of another codec follow after a gap of 2 s."""
        for camera in ("gate", "yard"):
            await self.api.index.add_camera(replace(a_camera(), id=camera, added_us=NOON_US - 60 * US_PER_S))
            take = Take(camera=camera, start_us=NOON_US, run=f"home-a-1-{1 if camera == 'gate' else 2}", segment_s=3)
            await recorded(self.api.index, self.api.objects, clips.get(seconds=8), take)
        change = Take(camera="yard", start_us=NOON_US + 10 * US_PER_S, run="home-a-1-3")
        await recorded(self.api.index, self.api.objects, clips.get(codec="h265", seconds=4), change)

    async def ask(self, method: str, path: str = "exports", *, by: str = "li", **options: Any) -> httpx2.Response:
        """One request by somebody."""
        transport = httpx2.ASGITransport(app=self.app, raise_app_exceptions=False)
        options["headers"] = {"as": by, **options.get("headers", {})}
        async with httpx2.AsyncClient(transport=transport, base_url="http://keepsight/api/v1/") as client:
            return await client.request(method, path, **options)

    async def work(self) -> None:
        """Works off what waits."""
        maker = ExportMaker(self.services, self.people, None, self.room.append, "keepsight test")
        write = lambda job: ResultWriter(self.results, job, self.api.clock, most_bytes=1 << 30, part_bytes=50_000)  # noqa: E731
        worker = ExportWorker(self.queue, maker, write, self.results, self.api.clock, holder="here")
        await worker.round(10)
        await worker.idle()

    async def made(self, body: dict[str, Any]) -> dict[str, Any]:
        """A job, asked for and worked off."""
        asked = await self.ask("POST", json=body)
        assert asked.status_code == 202, asked.text
        await self.work()
        return (await self.ask("GET", f"exports/{asked.json()['id']}")).json()


def wanted(*items: tuple[str, float, float], **more: Any) -> dict[str, Any]:
    """The body of a request for spans in seconds after noon."""
    at = lambda seconds: iso(NOON_US + round(seconds * US_PER_S))  # noqa: E731
    return {"items": [{"camera": camera, "from": at(start), "to": at(end)} for camera, start, end in items], **more}


@pytest.fixture
async def desk(clips: Clips) -> Desk:
    found = Desk()
    await found.fill(clips)
    return found


async def test_one_film_is_made_and_fetched(desk: Desk, tmp_path: Path) -> None:
    """From asking to a file that plays, with its hash as ETag, and everything written into the register."""
    job = await desk.made(wanted(("gate", 0, 8), form="mp4", reason="case 7"))
    assert (job["state"], job["progress"], job["by"], job["unit"], job["reason"]) == ("done", 1.0, "li", "分局", "case 7")
    answer = await desk.ask("GET", f"exports/{job['id']}/file")
    assert answer.headers["content-disposition"] == f'attachment; filename="gate_{iso(NOON_US)[:10].replace("-", "")}T120000Z.mp4"'
    assert hashlib.sha256(answer.content).hexdigest() == job["sha256"] == answer.headers["etag"].strip('"')
    (tmp_path / "a.mp4").write_bytes(answer.content)
    assert frame_numbers(tmp_path / "a.mp4") == list(range(200))
    assert [(act.action, act.cameras, act.what.split()[0]) for act in desk.notes.acts] == [
        (Action.EXPORT, ("gate",), "asked"),
        (Action.EXPORT, ("gate",), "fetched"),
    ]


async def test_ranges_are_cut_out_of_parts(desk: Desk) -> None:
    """Ranges give exactly their bytes, HEAD gives none, and a range with an old ETag gives all."""
    job = await desk.made(wanted(("gate", 0, 8), form="mp4"))
    path = f"exports/{job['id']}/file"
    whole = (await desk.ask("GET", path)).content
    for start, end in ((0, 1), (49_999, 50_001), (len(whole) - 5, len(whole))):
        part = await desk.ask("GET", path, headers={"Range": f"bytes={start}-{end - 1}"})
        assert (part.status_code, part.content) == (206, whole[start:end])
        assert part.headers["content-range"] == f"bytes {start}-{end - 1}/{len(whole)}"
    head = await desk.ask("HEAD", path)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(whole)))
    assert (await desk.ask("GET", path, headers={"Range": f"bytes={len(whole)}-"})).status_code == 416
    stale = await desk.ask("GET", path, headers={"Range": "bytes=0-1", "If-Range": '"other"'})
    assert (stale.status_code, len(stale.content)) == (200, len(whole))


async def test_an_archive_holds_all_and_says_what_is_missing(desk: Desk, tmp_path: Path) -> None:
    """Two cameras, three films; each file has the hash of the manifest, which names the stored objects and every gap with its cause."""
    job = await desk.made(wanted(("gate", 0, 8), ("yard", 0, 14), reason="案件 7"))
    data = (await desk.ask("GET", f"exports/{job['id']}/file")).content
    archive = zipfile.ZipFile(io.BytesIO(data))
    assert archive.testzip() is None
    told = json.loads(archive.read("manifest.json"))
    assert (told["by"], told["reason"], told["site"]) == ({"subject": "li", "name": "li", "unit": "分局"}, "案件 7", "home")
    files = [file for item in told["items"] for file in item["files"]]
    assert sorted([file["name"] for file in files] + ["manifest.json"]) == sorted(archive.namelist())
    counts = []
    for file in files:
        film = archive.read(file["name"])
        assert (hashlib.sha256(film).hexdigest(), len(film)) == (file["sha256"], file["bytes"])
        (tmp_path / "film.mp4").write_bytes(film)
        counts.append(len(frame_numbers(tmp_path / "film.mp4")))
        for run in file["runs"]:
            for used in run["segments"]:
                stored = await desk.api.objects.get(used["key"])
                assert hashlib.sha256(stored).hexdigest() == used["sha256"]
                assert stored[slice(*used["bytes"])] in film
    assert counts == [200, 200, 100]
    assert [[gap["from"] for gap in item["gaps"]] for item in told["items"]] == [[], [iso(NOON_US + 8 * US_PER_S)]]


async def test_what_has_no_footage_is_a_gap_of_the_archive(desk: Desk) -> None:
    """One item without any footage is declared; an archive of nothing is refused with a sentence."""
    job = await desk.made(wanted(("gate", 0, 2), ("gate", 100, 160)))
    archive = zipfile.ZipFile(io.BytesIO((await desk.ask("GET", f"exports/{job['id']}/file")).content))
    item = json.loads(archive.read("manifest.json"))["items"][1]
    assert (item["files"], [gap["from"] for gap in item["gaps"]]) == ([], [iso(NOON_US + 100 * US_PER_S)])
    nothing = await desk.made(wanted(("gate", 100, 160)))
    assert (nothing["state"], "no footage" in nothing["said"]) == ("failed", True)


async def test_films_of_two_codecs_are_no_single_film(desk: Desk) -> None:
    """The job says what to ask for instead."""
    job = await desk.made(wanted(("yard", 0, 14), form="mp4"))
    assert (job["state"], "ask for zip" in job["said"]) == ("failed", True)


async def test_a_job_is_seen_by_its_owner_and_by_administrators(desk: Desk) -> None:
    """Another person is told that there is none; an administrator sees and cancels it, and gets no footage by that."""
    job = await desk.made(wanted(("gate", 0, 2)))
    path = f"exports/{job['id']}"
    assert [len((await desk.ask("GET", by=by)).json()["exports"]) for by in ("li", "other", "chief")] == [1, 0, 1]
    for method, at in (("GET", path), ("GET", f"{path}/file"), ("DELETE", path)):
        assert (await desk.ask(method, at, by="other")).json()["detail"] == f"there is no export {job['id']}"
    assert (await desk.ask("GET", path, by="chief")).status_code == 200
    assert (await desk.ask("GET", f"{path}/file", by="chief")).status_code not in (200, 206)
    assert (await desk.ask("DELETE", path, by="chief")).json()["state"] == "expired"
    assert (await desk.results.list("")).items == []
    assert (await desk.ask("GET", f"{path}/file")).json()["title"] == "Footage is gone"


async def test_cameras_outside_of_the_scope_are_cameras_that_are_not_there(desk: Desk) -> None:
    """The same words, whether the camera exists or not, and nothing is queued."""
    desk.people.known_ones["li"] = somebody("li", Role.OPERATOR, scope=Scope(cameras=("gate",)))
    for camera in ("yard", "nowhere"):
        answer = await desk.ask("POST", json=wanted(("gate", 0, 1), (camera, 0, 1)))
        assert (answer.status_code, answer.json()["detail"]) == (404, f"there is no camera {camera}")
    assert (await desk.ask("GET")).json()["exports"] == []


@pytest.mark.parametrize("change", ["scope", "role", "gone", "consent"])
async def test_rights_are_looked_at_again_when_it_is_made(desk: Desk, change: str) -> None:
    """Who lost a camera, the right, the account or the consent meanwhile gets nothing."""
    asked = await desk.ask("POST", json=wanted(("gate", 0, 2)))
    take_away(desk, change)
    await desk.work()
    assert (await desk.queue.job(asked.json()["id"])).state is State.FAILED
    assert (await desk.results.list("")).items == []


@pytest.mark.parametrize("change", ["scope", "role", "consent"])
async def test_rights_are_looked_at_again_when_it_is_fetched(desk: Desk, change: str) -> None:
    """A result that is there already is not given any more."""
    job = await desk.made(wanted(("gate", 0, 2)))
    assert (await desk.ask("GET", f"exports/{job['id']}/file")).status_code == 200
    take_away(desk, change)
    answer = await desk.ask("GET", f"exports/{job['id']}/file")
    assert answer.status_code >= 400


def take_away(desk: Desk, what: str) -> None:
    """What somebody loses."""
    changed = {"scope": somebody("li", Role.OPERATOR, scope=Scope(cameras=("yard",))), "role": somebody("li", Role.VIEWER)}
    if what == "gone":
        del desk.people.known_ones["li"]
    elif what == "consent":
        desk.notes.refuses.add("gate")
    else:
        desk.people.known_ones["li"] = changed[what]


async def test_a_maker_that_does_not_look_would_be_seen(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: without the look before making, a lost scope goes unnoticed."""

    async def blind(*_: object) -> None:
        return None

    monkeypatch.setattr("playback.exports.make.may_still", blind)
    asked = await desk.ask("POST", json=wanted(("gate", 0, 2)))
    take_away(desk, "scope")
    await desk.work()
    assert (await desk.queue.job(asked.json()["id"])).state is State.DONE


async def test_too_many_jobs_are_answered_with_429(clips: Clips) -> None:
    """The limit of one subject; another one may still ask."""
    desk = Desk(Rules(waiting_per_subject=1))
    await desk.fill(clips)
    assert (await desk.ask("POST", json=wanted(("gate", 0, 2)))).status_code == 202
    answer = await desk.ask("POST", json=wanted(("gate", 0, 2)))
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "2")
    assert (await desk.ask("POST", json=wanted(("gate", 0, 2)), by="other")).status_code == 202


@pytest.mark.parametrize(
    "body",
    [
        {"items": []},
        wanted(("gate", 2, 1)),
        wanted(("gate", 0, 1), ("yard", 0, 1), form="mp4"),
        wanted(("../../etc/passwd", 0, 1)),
        wanted(("gate", 0, 1), form="exe"),
        wanted(("gate", 0, 25 * 3600), form="mp4"),
        wanted(("gate", 0, 8 * 86_400)),
        wanted(("gate", 0, 1), reason="x" * 1001),
        wanted(("gate", 0, 1), path="elsewhere"),
        wanted(("gate", 0, 1), transcode={"height": -1}),
    ],
)
async def test_bad_input_is_refused_with_a_problem(desk: Desk, body: dict[str, Any]) -> None:
    """422, and nothing is queued."""
    answer = await desk.ask("POST", json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert await desk.queue.jobs() == []


async def test_a_job_that_waits_has_no_file(desk: Desk) -> None:
    """409 says what it waits for; after it is cancelled it stays so."""
    asked = (await desk.ask("POST", json=wanted(("gate", 0, 2)))).json()
    assert (await desk.ask("GET", f"exports/{asked['id']}/file")).status_code == 409
    assert (await desk.ask("DELETE", f"exports/{asked['id']}")).json()["state"] == "cancelled"
    await desk.work()
    assert (await desk.queue.job(asked["id"])).state is State.CANCELLED


async def test_without_a_pool_there_are_no_exports() -> None:
    """The routes say what to set."""
    answer = await Api().get("exports")
    assert (answer.status_code, "[exports]" in answer.json()["detail"]) == (404, True)
    with pytest.raises(NotFound):
        await Desk().queue.job("nothing")
