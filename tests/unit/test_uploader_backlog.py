"""What the uploader tells of what waits in the spool."""

from __future__ import annotations

from pathlib import Path

from recorder.spool_folder import SpoolKind
from recorder.uploader import Backlog
from tests.builders import NOON_US, a_camera
from tests.fakes import a_sealed_file
from tests.upload_node import Node


async def test_what_waits_is_told_by_kind_with_its_oldest(tmp_path: Path) -> None:
    """Sealed files while the store is away, stubs while the index is, nothing when both are back; ages count from the oldest footage."""
    node = Node(tmp_path)
    await node.index.inner.add_camera(a_camera(pool="main"))
    for counter in range(3):
        a_sealed_file(tmp_path, counter=counter)

    node.objects.away = True
    await node.uploader.work()
    assert node.uploader.backlog == {SpoolKind.SEALED: Backlog(3, NOON_US), SpoolKind.STUB: Backlog()}

    node.objects.away, node.index.away = False, True
    await worked(node, 10)
    assert node.uploader.backlog == {SpoolKind.SEALED: Backlog(), SpoolKind.STUB: Backlog(3, NOON_US)}

    node.index.away = False
    await worked(node, 120)
    assert node.uploader.backlog == {SpoolKind.SEALED: Backlog(), SpoolKind.STUB: Backlog()}


async def worked(node: Node, seconds: float) -> None:
    """So much later, the spool was gone through, and looked at again."""
    node.clock.move(seconds)
    await node.uploader.work()
    await node.uploader.work()
