"""What sites say of themselves, of their cameras and of holds, as JSON and back; see `replication.wire`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from replication.ports import MOST_GONE, Hello
from replication.wire import POOL, bucket, camera_id, epoch, matching, moment_us, several, site_name
from replication.wire_values import from_json, items, members, plain_bytes, text, to_json
from segments.errors import BadInput
from segments.hold import FOR_EVER_US, Hold, Stretch
from segments.model import Camera
from segments.shards import CAMERA_BUCKETS

MOST_HOLDS = 100_000
MOST_SEALED_BYTES = 4096
_HOLD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")


class StampedHolds(NamedTuple):
    """All holds of a site, and what tells them from other ones; None: they are as who asked said he knows them."""

    stamp: str
    holds: Sequence[Hold] | None


def hello_of(value: Any) -> Hello:
    """Who a site says it is. What a later version adds is passed over: it must be heard to be refused by name."""
    known = ("site", "protocol", "version", "now_us", "epoch", "camera_key")
    found = from_json(Hello, {name: value[name] for name in known if name in value} if isinstance(value, dict) else value, "hello")
    site_name(found.site), moment_us(found.now_us), epoch(found.epoch)
    return found


def stamps_of(value: Any) -> dict[int, str]:
    """Stamps of buckets."""
    listed = (several(each, 2, "stamps") for each in items(value, "stamps", most=CAMERA_BUCKETS))
    return {bucket(number): text(stamp, "stamp", most=256) for number, stamp in listed}


def camera_of(value: Any) -> Camera:
    """A camera of another site, which never has a user or a password in its address, nor a home of its own saying."""
    found = from_json(Camera, value, "camera")
    camera_id(found.id)
    try:
        address = urlsplit(found.url)
        clear = address.username is None and address.password is None
    except ValueError:
        clear = False
    if not clear or found.camera_class not in (1, 2, 3) or found.home or not _on_earth(found):
        raise BadInput(f"camera {found.id}: its address, its class, its home or its place cannot be")
    matching(POOL, found.pool, "that is no name of a pool")
    return found


def credentials_of(value: Any) -> dict[str, bytes]:
    """Sealed credentials by camera."""
    listed = (several(each, 2, "credentials") for each in items(value, "credentials"))
    return {camera_id(camera): plain_bytes(sealed, "credential", most=MOST_SEALED_BYTES) for camera, sealed in listed}


def holds_of(value: Any) -> list[Hold]:
    """Holds, lifted ones included."""
    found = [from_json(Hold, each, "hold") for each in items(value, "holds", most=MOST_HOLDS)]
    for hold in found:
        matching(_HOLD, hold.id, "that is no id of a hold")
        for camera in (*hold.cameras, *hold.seen):
            camera_id(camera)
        for at_us in (hold.start_us, hold.placed_us, hold.lifted_us, *(change.at_us for change in hold.changes)):
            moment_us(at_us, f"hold {hold.id}: a time")
        if hold.end_us != FOR_EVER_US:
            moment_us(hold.end_us, f"hold {hold.id}: its end")
    return found


def stamped_holds_of(value: Any) -> StampedHolds:
    """Holds with their stamp."""
    stamp, holds = members(value, "stamp", "holds")
    return StampedHolds(text(stamp, "stamp", most=64), None if holds is None else holds_of(holds))


def gone_of(value: Any) -> list[Stretch] | None:
    """What holds came too late for; None if that is not known yet."""
    (gone,) = members(value, "gone")
    if gone is None:
        return None
    listed = (several(each, 3, "gone") for each in items(gone, "gone", most=MOST_GONE))
    return [Stretch(camera_id(camera), moment_us(start_us), moment_us(end_us)) for camera, start_us, end_us in listed]


def cameras_values(cameras: Sequence[Camera]) -> list[Any]:
    """Cameras as they are told: where they are at home is known by who tells, and their pools are nobody else's."""
    return [to_json(replace(camera, home="", pool="")) for camera in cameras]


def _on_earth(camera: Camera) -> bool:
    """Also no number that is none."""
    return all(place is None or -limit <= place <= limit for place, limit in ((camera.latitude, 90), (camera.longitude, 180)))
