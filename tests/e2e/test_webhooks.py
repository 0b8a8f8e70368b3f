"""Webhooks of the real service: registered by command, told by the program `duties` over HTTP, also after it was killed."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from playback.client import verified
from tests.service import KEEPSIGHT, Service
from tests.webhook_site import Asked, http_receiver

pytestmark = pytest.mark.server


def cases(messages: Sequence[Asked]) -> set[str]:
    """The cases of holds that messages tell of."""
    return {json.loads(one.body)["data"]["case"] for one in messages}


async def test_a_receiver_is_told_by_the_running_service(tmp_path: Path) -> None:
    """Tried by command, told of a hold with a signature that verifies, and of the next one by a program that was killed in between."""
    async with http_receiver() as receiver, Service(tmp_path, {}, webhooks={"loopback": True}) as service:

        async def run(*words: str) -> str:
            command = [*KEEPSIGHT, *words, "--config", str(service.config)]
            return (await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True, text=True)).stdout

        await run("camera", "add", "gate", "rtsp://192.168.9.9/x")
        made = json.loads(await run("webhook", "add", f"http://127.0.0.1:{receiver.port}/hook", "--event", "hold.placed", "--json"))
        assert "taken: answered 204" in await run("webhook", "test", made["id"])
        now = datetime.now(UTC).isoformat()
        for number in (1, 2):
            await run("hold", "place", "--case", f"case-{number}", "--camera", "gate", "--from", now, "--reason", "a test")
            await service.wait_for(lambda case=f"case-{number}": case in cases(receiver.asked[1:]))
            service.kill("duties")  # what it had told and not written down yet is told again
        assert [json.loads(one.body)["type"] for one in receiver.asked[:2]] == ["webhook.test", "hold.placed"]
        assert cases(receiver.asked[1:]) == {"case-1", "case-2"}
        assert all(verified(one.headers, one.body, made["secret"], now_s=time.time()) for one in receiver.asked)
        assert made["secret"] not in await run("webhook", "list", "--json")
