"""What files of an export are called: from camera ids and times alone, so that nothing a user wrote becomes a path or a header."""

from __future__ import annotations

import re

from playback.exports.job import Form, Job
from segments.clock import iso

_ODD = re.compile(r"[^A-Za-z0-9_.-]")


def film_name(camera: str, start_us: int, number: int = 0, suffix: str = "mp4") -> str:
    """`gate_20260131T080000Z.mp4`; with `-2` before the suffix for the second file of a span whose codec changed."""
    moment = iso(start_us // 1_000_000 * 1_000_000).replace(".000", "").replace("-", "").replace(":", "")
    part = f"-{number + 1}" if number else ""
    return f"{_ODD.sub('_', camera).lstrip('.') or 'camera'}_{moment}{part}.{suffix}"


def result_name(job: Job) -> str:
    """What the result is saved as."""
    first = job.items[0]
    if job.form is Form.MP4:
        return film_name(first.camera, first.start_us)
    return f"keepsight_{job.id}.zip"


def media_type(job: Job) -> str:
    """What the result is."""
    return "video/mp4" if job.form is Form.MP4 else "application/zip"
