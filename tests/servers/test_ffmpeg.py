"""Films made anew by a real ffmpeg, looked at by ffprobe and by what is in their pictures."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import av
import numpy as np
import pytest

from deploy.export_jobs import font_of
from deploy.ffmpeg import Ffmpeg, find_ffmpeg, missing_letters
from deploy.settings import Settings
from playback.exports.job import Transcoding
from playback.exports.transcoder import Stamp, Watermark
from segments.errors import BadInput, DataDamaged, TryAgain
from tests.builders import NOON_US
from tests.media import Clips, frame_numbers
from tests.servers.processes import require_program

pytestmark = pytest.mark.server


@pytest.fixture(params=["installed", "packaged"])
def ffmpeg(request: pytest.FixtureRequest, tmp_path: Path) -> Ffmpeg:
    """The system's program, and the one that comes with imageio-ffmpeg."""
    from imageio_ffmpeg import get_ffmpeg_exe

    binary = find_ffmpeg(None) if request.param == "installed" else get_ffmpeg_exe()
    (tmp_path / "work").mkdir()
    return Ffmpeg(binary, 1, font_of(Settings()), ZoneInfo("UTC"), tmp_path / "work", 1 << 30)


async def film(path: Path, piece_bytes: int = 4096) -> AsyncIterator[bytes]:
    """A file, moov first, as it would come from a plan."""
    data = path.read_bytes()
    for at in range(0, len(data), piece_bytes):
        yield data[at : at + piece_bytes]


def quick_start(path: Path, target: Path) -> Path:
    """The same film with its index first, as a virtual mp4 has it."""
    command = [require_program("ffmpeg", "ffmpeg"), "-v", "error", "-y", "-i", str(path), "-c", "copy", "-movflags", "+faststart"]
    subprocess.run([*command, str(target)], check=True)
    return target


async def made(ffmpeg: Ffmpeg, source: Path, target: Path, order: Transcoding, mark: Watermark | None = None) -> list[float]:
    """Makes a film anew; the seconds that were told on the way."""
    told: list[float] = []
    async with ffmpeg.transcoded(film(source), order, mark, told.append) as path:
        target.write_bytes(path.read_bytes())
    assert list(ffmpeg.folder.iterdir()) == []
    return told


def probed(path: Path) -> dict:
    """The first picture track, by ffprobe, which must have nothing to say."""
    options = ["-v", "warning", "-count_packets", "-select_streams", "v:0", "-show_streams", "-of", "json"]
    done = subprocess.run([require_program("ffprobe", "ffmpeg"), *options, str(path)], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return json.loads(done.stdout)["streams"][0]


async def test_h265_becomes_h264(ffmpeg: Ffmpeg, clips: Clips, tmp_path: Path) -> None:
    """Every picture once and in order, the same length, smaller as asked for, with sound; and how far it is is told."""
    source = quick_start(clips.get(codec="h265", seconds=4, audio="aac"), tmp_path / "source.mp4")
    told = await made(ffmpeg, source, tmp_path / "made.mp4", Transcoding())
    found = probed(tmp_path / "made.mp4")
    assert (found["codec_name"], found["pix_fmt"], found["nb_read_packets"]) == ("h264", "yuv420p", "100")
    assert abs(float(found["duration"]) - 4) < 0.05
    assert frame_numbers(tmp_path / "made.mp4") == list(range(100))
    assert told[-1] == pytest.approx(4, abs=0.2)
    await made(ffmpeg, source, tmp_path / "small.mp4", Transcoding(height=180, bitrate_bps=100_000))
    assert (probed(tmp_path / "small.mp4")["width"], probed(tmp_path / "small.mp4")["height"]) == (320, 180)


async def test_a_watermark_is_burnt_in_with_the_right_time(ffmpeg: Ffmpeg, clips: Clips, tmp_path: Path) -> None:
    """Pixels change where it stands and nowhere else; the clock shows the second of the wall, also behind a jump."""
    source = quick_start(clips.get(seconds=4), tmp_path / "source.mp4")
    mark = Watermark("operator li  %{localtime} unit", (Stamp(0.0, NOON_US + 500_000), Stamp(2.0, NOON_US + 60_000_000)))
    await made(ffmpeg, source, tmp_path / "marked.mp4", Transcoding(watermark=True), mark)
    await made(ffmpeg, source, tmp_path / "plain.mp4", Transcoding())
    marked, plain = pictures(tmp_path / "marked.mp4"), pictures(tmp_path / "plain.mp4")
    assert len(marked) == len(plain) == 100
    differs = np.abs(marked[10].astype(int) - plain[10].astype(int)).max(axis=1)
    assert differs[: marked[0].shape[0] // 2].max() < 30
    assert differs[-int(marked[0].shape[0] * 0.16) :].max() > 100
    shown = [clock_pixels(picture) for picture in marked]
    changes = [number for number in range(1, 100) if not same(shown[number - 1], shown[number])]
    assert changes == [13, 38, 50, 75]  # 12:00:00.5 at the beginning, 12:01:00 from second 2 on
    expected = await rendered(ffmpeg, source, tmp_path, NOON_US + 61_000_000)
    assert same(shown[80], expected)
    assert not same(shown[60], expected)


async def rendered(ffmpeg: Ffmpeg, source: Path, folder: Path, at_us: int) -> np.ndarray:
    """How the clock looks at this second, drawn from the beginning of a film."""
    mark = Watermark("operator li", (Stamp(0.0, at_us),))
    await made(ffmpeg, source, folder / "expected.mp4", Transcoding(watermark=True), mark)
    return clock_pixels(pictures(folder / "expected.mp4")[5])


def pictures(path: Path) -> list[np.ndarray]:
    """The luma of all pictures."""
    with av.open(path) as container:
        return [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]


def clock_pixels(picture: np.ndarray) -> np.ndarray:
    """Where the running time stands, as black and white."""
    height, width = picture.shape
    size = max(12, height / 24)
    return picture[int(height - size * 3.2) : int(height - size * 2.1), width // 50 : width // 2] > 128


def same(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two show the same text; an encoder changes single pixels."""
    return float((a != b).mean()) < 0.004


async def test_a_name_the_font_cannot_write_is_refused(ffmpeg: Ffmpeg, clips: Clips, tmp_path: Path) -> None:
    """With the letters it lacks and the setting to change, instead of empty boxes in evidence."""
    dejavu = replace(ffmpeg, font=next(Path(av.__file__).parent.parent.glob("matplotlib/mpl-data/fonts/ttf/DejaVuSans.ttf")))
    assert missing_letters(dejavu.font, "Li 张三张") == "张三"
    with pytest.raises(BadInput, match="font_file"):
        await made(
            dejavu, clips.get(seconds=4), tmp_path / "made.mp4", Transcoding(watermark=True), Watermark("张三", (Stamp(0, NOON_US),))
        )


async def test_what_is_no_film_fails_with_a_sentence(ffmpeg: Ffmpeg, tmp_path: Path) -> None:
    """Bytes of nothing are damaged data, and nothing is left lying."""
    (tmp_path / "noise.mp4").write_bytes(b"\x00\x01\x02" * 50_000)
    with pytest.raises(DataDamaged, match="cannot make this film anew"):
        await made(ffmpeg, tmp_path / "noise.mp4", tmp_path / "made.mp4", Transcoding())
    assert list(ffmpeg.folder.iterdir()) == []


async def test_a_pool_that_goes_away_is_told_as_that(ffmpeg: Ffmpeg, clips: Clips) -> None:
    """The error of the source comes through, and ffmpeg is ended."""

    async def broken() -> AsyncIterator[bytes]:
        yield clips.get(seconds=4).read_bytes()[:1000]
        raise TryAgain("the pool went away")

    with pytest.raises(TryAgain, match="the pool went away"):
        async with ffmpeg.transcoded(broken(), Transcoding(), None, lambda _: None):
            pass
    assert children() == []


async def test_too_large_a_film_is_refused(ffmpeg: Ffmpeg, clips: Clips, tmp_path: Path) -> None:
    """The limit holds while it is written."""
    source = quick_start(clips.get(seconds=4, noise=True), tmp_path / "source.mp4")
    with pytest.raises(BadInput, match="max_result_bytes"):
        await made(replace(ffmpeg, most_bytes=20_000), source, tmp_path / "made.mp4", Transcoding())


async def test_cancelling_ends_ffmpeg(ffmpeg: Ffmpeg) -> None:
    """Within moments, with its folder gone; the program that is left over is the negative control of what is counted."""

    async def endless() -> AsyncIterator[bytes]:
        yield b""
        await asyncio.sleep(3600)

    async def work() -> None:
        async with ffmpeg.transcoded(endless(), Transcoding(), None, lambda _: None):
            pass

    working = asyncio.create_task(work())
    while not children():  # noqa: ASYNC110 - a process tells no event
        await asyncio.sleep(0.02)
    working.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await working
    assert children() == []
    assert list(ffmpeg.folder.iterdir()) == []


def children() -> list[str]:
    """The ffmpegs this process has started."""
    listed = subprocess.run(["ps", "--ppid", str(__import__("os").getpid()), "-o", "comm="], capture_output=True, text=True, check=False)
    return [name for name in listed.stdout.split() if name.startswith("ffmpeg")]
