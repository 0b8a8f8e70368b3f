"""A hostile camera URL or stream reaches no file and no inner service, and disturbs no other camera (promise R20)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.faults.hostile import Hostile, hostile_inputs, hostile_to_libav
from tests.faults.siege import Siege, besiege, open_all_barely
from tests.media import Clips

KINDS = {"two", "three", "six", "other", "sock", "udp", "opened canary.ts"}
"""Every kind of canary there is."""


def wrong(siege: Siege) -> list[str]:
    """All that the promise forbids."""
    return [*siege.hits, *siege.suspects, *siege.unclear, *siege.honest_refused]


def test_the_list_is_as_long_as_promised() -> None:
    """At least two hundred inputs, each once."""
    inputs = [repr(each) for each in (*hostile_inputs(), *hostile_to_libav())]
    assert len(set(inputs)) == len(inputs) >= 200


@pytest.mark.slow
@pytest.mark.parametrize("inputs", [hostile_inputs, hostile_to_libav])
async def test_no_canary_is_touched(
    inputs: Callable[[], Sequence[Hostile]], clips: Clips, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Every input ends with a refusal in our words and in time, honest cameras beside them are read, and no trace floods the log."""
    siege = await besiege(inputs(), clips.get(".ts"), tmp_path)
    assert wrong(siege) == []
    assert siege.refusals.total() == siege.n
    assert "being dropped" not in capfd.readouterr().err


@pytest.mark.slow
async def test_control_libav_alone_touches_every_canary(clips: Clips, tmp_path: Path) -> None:
    """The same inputs, opened without our rules, reach each kind of service, and the file."""
    assert set(await open_all_barely([*hostile_inputs(), *hostile_to_libav()], clips.get(".ts"), tmp_path)) >= KINDS


@pytest.mark.slow
async def test_control_a_network_too_wide_is_found_out(clips: Clips, tmp_path: Path) -> None:
    """Where inner services lie in a camera network, the siege sees that they are reached, and by what."""
    urls = [each for each in hostile_inputs() if "{port}" not in each.url]
    siege = await besiege(urls, clips.get(".ts"), tmp_path, networks=("127.0.0.0/8", "::1/128"))
    assert set(siege.hits) == {"two", "three", "six"}
    assert siege.suspects


async def test_answers_that_are_no_http_end_at_once_with_a_reason(clips: Clips, tmp_path: Path) -> None:
    """Headers or chunks that cannot be read end the source by themselves, and not by the limit of silence."""
    too_many = b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1_000 + b"\r\n"
    no_chunk = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnot a number\r\n" + b"x" * 100
    inputs = [Hostile("http://127.0.0.1:{port}/x", pages={"/x": page}) for page in (too_many, no_chunk, b"SSH-2.0-x\r\n")]
    siege = await besiege(inputs, clips.get(".ts"), tmp_path)
    assert wrong(siege) == []
    assert siege.refusals.total() == 3
    assert siege.longest_s < 5
