"""What `keepsight index copy` does: two configurations that fit together, a copy that goes on where it was stopped, and the comparison."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from deploy.settings import Settings, SqliteIndexSettings
from deploy.wiring import make_folder, open_index
from segments.clock import SystemClock
from segments.errors import BadInput, StartRefused
from segments.index_compare import Comparison, compare_indexes
from segments.index_copy import Copied, copy_index
from segments.model import PartitionKind

Say = Callable[[str], None]


async def copy_and_compare(source: Settings, target: Settings, say: Say) -> tuple[Copied, Comparison]:
    """Copies the index of one configuration into that of another and compares the two.

    A copy that was stopped goes on where it was: how far it came is in a file in the source's folder, until it is through. Raises BadInput
    if the two configurations do not fit together, StartRefused, TryAgain.
    """
    check_pair(source, target)
    progress = CopyProgress(source.site.folder / "index-copy.json", to=index_name(target))
    clock = SystemClock()
    async with open_index(source) as ours, open_index(target) as theirs:

        def went_on(copied: Copied) -> None:
            if copied.kind is None:
                progress.remove()
            else:
                progress.write(copied)
            say(f"{copied.partitions:,} partitions, {copied.written:,} written, at {copied.kind or 'the end'}")

        copied = await copy_index(ours, theirs, clock, so_far=progress.read(), progress=went_on)
        compared = await compare_indexes(
            ours, theirs, clock, progress=lambda found: say(f"compared {found.items:,}, {found.differing:,} partitions differ")
        )
    return copied, compared


def check_pair(source: Settings, target: Settings) -> None:
    """Raises BadInput unless the target can take the source's place: one site, one key of the camera passwords, two indexes."""
    if source.site.name != target.site.name:
        raise BadInput(
            f"the other configuration is of site {target.site.name!r}, this one of {source.site.name!r}: an index belongs to one site; "
            f"set site.name alike"
        )
    if index_name(source) == index_name(target):
        raise BadInput(f"both configurations name the same index, {index_name(source)}")
    if _key_of(source) not in (b"", _key_of(target)):
        raise BadInput(
            f"the camera passwords are sealed with {source.camera_key_path}, and {target.camera_key_path}, of the other configuration, "
            f"is not that key: copy the file there, or name it in cameras.key_file"
        )


def index_name(settings: Settings) -> str:
    """Which index a configuration means, without a secret."""
    index = settings.index
    if isinstance(index, SqliteIndexSettings):
        return f"sqlite {settings.index_path}"
    return f"cassandra {','.join(sorted(index.hosts))}:{index.port} {index.keyspace}"


def _key_of(settings: Settings) -> bytes:
    """The key of the camera passwords, empty where there is none yet."""
    try:
        return settings.camera_key_path.read_bytes().strip()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise StartRefused(f"the key of the camera passwords {settings.camera_key_path} cannot be read ({error.strerror})") from None


class CopyProgress:
    """How far a copy to one target has come, in a small file. If it is lost, the copy begins anew and finds that much is there already."""

    def __init__(self, path: Path, *, to: str) -> None:
        self._path = path
        self._to = to

    def read(self) -> Copied:
        """Where to go on; at the beginning if there is no such file, or it is of another target or damaged."""
        try:
            values = json.loads(self._path.read_text())
            return Copied(PartitionKind(values["kind"]), str(values["after"])) if values["to"] == self._to else Copied()
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return Copied()

    def write(self, copied: Copied) -> None:
        """Keeps a step; the file is never half written."""
        make_folder("the site's folder", self._path.parent)
        draft = self._path.with_name(f".{self._path.name}")
        draft.write_text(json.dumps({"to": self._to, "kind": copied.kind, "after": copied.after}))
        draft.replace(self._path)

    def remove(self) -> None:
        """The copy is through."""
        self._path.unlink(missing_ok=True)
