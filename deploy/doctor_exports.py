"""What `keepsight doctor` looks at of export jobs: the program that makes pictures anew, and the font of watermarks."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Sequence

from deploy.doctor import Found, Verdict
from deploy.export_jobs import font_of
from deploy.exports_section import exports_pool
from deploy.ffmpeg import find_ffmpeg, missing_letters
from deploy.settings import Settings

LIMIT_S = 20


async def exports(settings: Settings) -> Sequence[Found]:
    """Nothing where there are no export jobs."""
    if exports_pool(settings) is None:
        return []
    binary = find_ffmpeg(settings.exports.ffmpeg)
    said = await asyncio.to_thread(_said, binary, "-filters") + await asyncio.to_thread(_said, binary, "-encoders")
    lacks = [name for name in ("drawtext", "libx264") if f" {name} " not in said]
    if lacks:
        do = "install another ffmpeg, or name one in exports.ffmpeg"
        return [Found("exports", Verdict.ILL, f"{binary} has no {' and no '.join(lacks)}", do)]
    font = font_of(settings)
    if missing_letters(font, "张"):
        do = "install Noto Sans CJK, or name another font in exports.font_file, if users' names are Chinese"
        return [Found("exports", Verdict.NOTED, f"the font of watermarks ({font.name}) writes no Chinese", do)]
    return [Found("exports", Verdict.GOOD, f"{binary}, font {font.name}")]


def _said(binary: str, option: str) -> str:
    try:
        done = subprocess.run([binary, "-hide_banner", option], capture_output=True, text=True, timeout=LIMIT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout
