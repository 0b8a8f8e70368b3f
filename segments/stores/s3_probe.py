"""What an S3 endpoint really does, whatever it claims: what every pool needs, and checksums, logins, versions, locks and links besides.

Trials of locks leave nothing behind: retention is of seconds, and holds are lifted again. In a bucket with a default retention a few small
objects stay for as long as that lasts.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from functools import partial
from urllib.parse import quote
from uuid import uuid4

from segments.errors import KeepsightError, Refused, TryAgain
from segments.stores.probe import POOL_NEEDS, QUICK_RACES, RACES, Ability, Finding, ObjectsProbe, Race, expect, probe_key, tried
from segments.stores.s3_client import S3Settings, bucket_client, tls
from segments.stores.s3_locks import try_locks
from segments.stores.s3_objects import S3Objects
from segments.stores.s3_trial import Bucket

LIMIT_S = 60.0
"""Of a whole probe."""
LINK_S = 1
"""How long the link lives that must have expired."""
_WRONG_SECRET = "0" * 40
_EMPTY = hashlib.sha256(b"").hexdigest()


async def probe_bucket(settings: S3Settings, abilities: Collection[Ability] = tuple(Ability), *, quick: bool = False) -> list[Finding]:
    """Findings of these abilities, in the order of `Ability`; `quick`: with smaller races.

    Raises TryAgain if the store does not answer, or not all of it within `LIMIT_S`; Refused if it refuses us or has no such bucket.
    """
    run = uuid4().hex
    objects = S3Objects(settings)
    client = await asyncio.to_thread(bucket_client, settings)
    probe = _Probe(settings, objects, Bucket(client, settings.bucket, run), run, QUICK_RACES if quick else RACES)
    try:
        async with asyncio.timeout(LIMIT_S):
            return await probe.run(abilities)
    except TimeoutError:
        raise TryAgain(f"the store of bucket {settings.bucket} did not answer all of the probe within {LIMIT_S:g} s") from None
    finally:
        with contextlib.suppress(KeepsightError):
            await asyncio.to_thread(probe.bucket.clean)
        objects.close()
        client.close()


class _Probe:
    def __init__(self, settings: S3Settings, objects: S3Objects, bucket: Bucket, run: str, races: Sequence[Race]) -> None:
        self.bucket = bucket
        self._settings = settings
        self._objects = objects
        self._run = run
        self._races = races

    async def run(self, abilities: Collection[Ability]) -> list[Finding]:
        found = await ObjectsProbe(self._objects, self._run, self._races).run()
        trials: dict[Ability, Callable[[], Awaitable[str]]] = {
            Ability.LOGINS: self._logins,
            Ability.VERSIONS: partial(asyncio.to_thread, self._versions),
            Ability.OBJECT_LOCK: partial(asyncio.to_thread, try_locks, self.bucket),
            Ability.SIGNED_LINKS: partial(asyncio.to_thread, self._links),
        }
        asked = [(ability, trial) for ability, trial in trials.items() if ability in abilities]
        more = await asyncio.gather(*(tried(ability, trial()) for ability, trial in asked))
        by_ability = {finding.ability: finding for finding in [*found, *more]}
        return [by_ability[ability] for ability in Ability if ability in by_ability and ability in {*abilities, *POOL_NEEDS}]

    async def _logins(self) -> str:
        wrong_secret = replace(self._settings, secret_access_key=_WRONG_SECRET)
        unknown = replace(wrong_secret, access_key_id=f"{self._settings.access_key_id}x")
        for who, settings in (("a wrong secret", wrong_secret), ("an unknown key", unknown)):
            stranger = S3Objects(settings)
            key = probe_key("stranger", self._run)
            calls: dict[str, Callable[[], Awaitable[object]]] = {
                "listing": partial(stranger.list, ""),
                "put": partial(stranger.put, key, b"", sha256=_EMPTY, attributes={}),
                "read": partial(stranger.head, key),
            }
            for name, call in calls.items():
                expect(await _is_refused(call()), f"a {name} with {who} was not refused")
            stranger.close()
        return "a wrong secret and an unknown key were refused"

    def _versions(self) -> str:
        expect(self.bucket.ask("get_bucket_versioning").get("Status") == "Enabled", "the bucket keeps no versions")
        first, second = self.bucket.put("version", b"first"), self.bucket.put("version", b"second")
        expect(first not in ("", second), "two puts of a key have one version")
        self.bucket.ask("delete_object", Key=self.bucket.key("version"))
        expect(self.bucket.read("version") is None, "a deleted object is still the newest version")
        kept = [self.bucket.read("version", first), self.bucket.read("version", second)]
        expect(kept == [b"first", b"second"], "versions of an object that was deleted cannot be read")
        return "every version was kept and read again"

    def _links(self) -> str:
        self.bucket.put("link", b"linked bytes")
        self.bucket.put("other", b"another object")
        link, passing = self.bucket.link("link", 30), self.bucket.link("link", LINK_S)
        context = tls(self._settings)
        opened = partial(_opened, context=context)
        expect(opened(link) == b"linked bytes", "a signed link does not open its object")
        expect(opened(link, range_="bytes=2-5") == b"nked", "a signed link does not give the range it is asked for")
        signature = link.rpartition("X-Amz-Signature=")[2].partition("&")[0]
        forged = signature.translate(str.maketrans("0123456789abcdef", "123456789abcdef0"))
        expect(opened(link.replace(signature, forged)) is None, "a link with a wrong signature is opened")
        mine, other = (quote(self.bucket.key(name)) for name in ("link", "other"))
        expect(opened(link.replace(mine, other)) is None, "a link opens an object it was not signed for")
        time.sleep(LINK_S + 1.5)
        expect(opened(passing) is None, "a link is opened after it has expired")
        return "a link opened its object only, and not after its time"


async def _is_refused(call: Awaitable[object]) -> bool:
    """Any other answer than a refusal means that the login was let through."""
    try:
        await call
    except Refused:
        return True
    except TryAgain:
        raise
    except KeepsightError:
        return False
    return False


def _opened(link: str, *, range_: str = "", context: ssl.SSLContext) -> bytes | None:
    """What a link gives without any login; None if it is refused. Raises TryAgain."""
    handlers = [urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)]
    try:
        request = urllib.request.Request(link, headers={"Range": range_} if range_ else {})  # noqa: S310 - our own endpoint's
        with urllib.request.build_opener(*handlers).open(request, timeout=10) as answer:
            data: bytes = answer.read()
            return data
    except urllib.error.HTTPError as error:
        if error.code >= 500:
            raise TryAgain(f"a signed link was answered with {error.code}") from None
        return None
    except OSError:
        raise TryAgain("a signed link got no answer") from None
