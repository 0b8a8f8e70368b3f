"""What each demo camera is like."""

from __future__ import annotations

from dataclasses import dataclass, replace

from segments.media import Codec

MAX_CAMERAS = 16


@dataclass(frozen=True, slots=True)
class DemoCamera:
    """One camera of the demo. `hue_degrees` colours its picture: an angle in the plane of Cb and Cr.

    A `silent` one connects, and then sends nothing.
    """

    id: str
    name: str
    area: str
    hue_degrees: int
    codec: Codec = Codec.H264
    sound: bool = False
    frames_per_s: int = 15
    silent: bool = False


_NAMED = (
    DemoCamera("gate", "North gate", "harbour/entrance", 350),
    DemoCamera("yard", "Container yard", "harbour/yard", 135, sound=True),
    DemoCamera("quay", "Quay west", "harbour/quay", 300, codec=Codec.H265, frames_per_s=12),
    DemoCamera("roof", "Roof", "harbour/entrance", 40),
)


def demo_cameras(count: int, silent: str = "") -> list[DemoCamera]:
    """The first `count` cameras (at most MAX_CAMERAS): sound on the second, H.265 on the third. `silent` names one that sends nothing."""
    more = [DemoCamera(f"hall-{n}", f"Hall {n}", "harbour/halls", n * 47 % 360) for n in range(1, MAX_CAMERAS - len(_NAMED) + 1)]
    return [replace(camera, silent=camera.id == silent) for camera in (*_NAMED, *more)[:count]]
