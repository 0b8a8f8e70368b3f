"""Whether somebody may still have what an export job is about: looked at when it is asked for, when it is made and when it is fetched."""

from __future__ import annotations

from collections.abc import Iterable

from playback.access import Access
from playback.consents import Consents
from playback.exports.job import Job
from segments.access import Subject, Verb
from segments.audit import Action
from segments.errors import NotFound, Refused
from segments.ports import Cameras
from segments.scoped import ids_in_scope


async def cameras_in_scope(who: Subject, cameras: Iterable[str], archive: Cameras) -> None:
    """Raises NotFound for the first camera that is outside of somebody's scope, in the words for one that does not exist."""
    wanted = list(cameras)
    inside = await ids_in_scope(who.scope, archive, wanted)
    for camera_id in wanted:
        if camera_id not in inside:
            raise NotFound(f"there is no camera {camera_id}")


async def may_still(job: Job, access: Access, archive: Cameras, consents: Consents) -> Subject:
    """Whoever asked for a job, as they are now.

    Raises Refused if they may not export any more, NotFound if a camera is not theirs any more, what `Consents` raises where it is missing.
    """
    who = await access.known(job.subject)
    if who is None or not who.may(Verb.EXPORT):
        raise Refused(f"{job.name or job.subject} may not export footage any more")
    await cameras_in_scope(who, job.cameras, archive)
    for item in job.items:
        await consents.check(who, Action.EXPORT, item.camera, item.span, job.reason)
    return who
