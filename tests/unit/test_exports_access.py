"""The program of export jobs knows whoever the API knows, also people and services of an identity provider."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from deploy.api_oidc import agreement, oidc_parts
from deploy.export_jobs import open_exports
from deploy.exports_process import run_exports
from deploy.settings import Settings, load_settings
from deploy.wiring import open_stores
from playback.exports.job import Form, Item, Job, State
from playback.identity.identity import identity_over
from segments.clock import US_PER_S, SystemClock
from tests.builders import a_camera
from tests.footage import Take, recorded
from tests.issuer import AUDIENCE, CLIENT, ISSUER, SECRET, Issuer
from tests.media import Clips

START_US = 1_770_000_000 * US_PER_S
KEY = "a key of the site that is long enough"


def settings_in(folder: Path) -> Settings:
    """Of a site whose people sign in at the issuer."""
    secret = folder / "oidc.secret"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    (folder / "keepsight.toml").write_text(
        f"[site]\nfolder = 'data'\n[exports]\nmin_free_bytes = 0\n[access.oidc]\nissuer = '{ISSUER}'\nclient_id = '{CLIENT}'\n"
        f"client_secret_file = '{secret}'\nbase_url = 'https://video.example.org'\naudience = '{AUDIENCE}'\n"
        "roles = { 'video-viewer' = 'operator' }\nwithout_scope = 'everything'\n"
    )
    return load_settings(folder / "keepsight.toml", {})


async def test_a_job_of_a_providers_token_is_made(tmp_path: Path, clips: Clips, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who came with an access token has their job made by the other program; who never came has none."""
    monkeypatch.setattr("deploy.exports_process.os.nice", lambda _: 0)
    settings, clock = settings_in(tmp_path), SystemClock()
    async with open_stores(settings) as stores:
        index = stores.index
        await recorded(index, stores.pools["main"], clips.get(), Take(start_us=START_US, segment_s=2))
        await index.add_camera(a_camera())
        issuer, sessions = Issuer(clock), identity_over(index, clock).sessions
        async with oidc_parts(agreement(settings.access.oidc), KEY, sessions, index, clock, transport=issuer.transport) as parts:
            anna = await parts.bearers.subject(issuer.token(areas=None))
        assert anna is not None
        with open_exports(settings, index, clock) as exports:
            assert exports is not None
            item = Item("gate", START_US, START_US + 3 * US_PER_S)
            for job_id, subject in (("a" * 20, anna.id), ("b" * 20, "oidc:nobody")):
                await exports.queue.ask(Job(job_id, subject, "Anna", "", "", clock.now_us(), (item,), Form.ZIP))
            working = asyncio.create_task(run_exports(settings))
            try:
                async with asyncio.timeout(60):
                    while any(job.state in (State.QUEUED, State.RUNNING) for job in await exports.queue.jobs()):
                        assert not working.done(), working.exception()
                        await asyncio.sleep(0.05)
            finally:
                working.cancel()
                await asyncio.wait([working])
            ended = {job.subject: (job.state, job.said) for job in await exports.queue.jobs()}
    assert ended[anna.id][0] is State.DONE, ended
    assert ended["oidc:nobody"] == (State.FAILED, "Anna may not export footage any more")
