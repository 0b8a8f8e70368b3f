"""A disk that loses what was not synced: records the steps a piece of code takes, and says what each power cut could leave.

What a cut keeps: the bytes of a file synced after its last write, and the names synced in their folder. Any other change of a name may be
kept or lost, each for itself: no order is assumed that POSIX does not promise.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import NamedTuple

import pytest


class Step(NamedTuple):
    """One change on disk; `source` only for links and renames."""

    verb: str
    path: str
    source: str = ""


class Died(BaseException):
    """The process is dead: nothing it wanted to do afterwards happens, cleaning up included."""


@contextmanager
def recorded(monkeypatch: pytest.MonkeyPatch, root: Path, *, die_at: int | None = None) -> Iterator[list[Step]]:
    """Records the steps under `root` while it lasts. The process dies before step `die_at`: it raises Died."""
    steps: list[Step] = []

    def step(verb: str, path: str | os.PathLike[str], source: str | os.PathLike[str] = "") -> None:
        if not os.path.abspath(path).startswith(f"{root}"):
            return
        if die_at is not None and len(steps) >= die_at:
            raise Died
        steps.append(Step(verb, os.path.abspath(path), os.path.abspath(source) if source else ""))

    real = {name: getattr(os, name) for name in ("open", "fsync", "link", "replace", "unlink", "mkdir", "rmdir")}

    def opened(path, flags, mode=0o777, **options):
        if flags & os.O_CREAT:
            step("create", path)
        return real["open"](path, flags, mode, **options)

    def after(verb):
        def call(*arguments, **options):
            # A step that fails changes nothing; a dead process does not even try.
            if die_at is not None and len(steps) >= die_at:
                raise Died
            result = real[verb](*arguments, **options)
            step(verb, arguments[-1] if verb in ("link", "replace") else arguments[0], arguments[0] if verb in ("link", "replace") else "")
            return result

        return call

    def synced(descriptor):
        step("sync", os.readlink(f"/proc/self/fd/{descriptor}"))
        real["fsync"](descriptor)

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", opened)
        patched.setattr(os, "fsync", synced)
        for verb in ("link", "replace", "unlink", "mkdir", "rmdir"):
            patched.setattr(os, verb, after(verb))
        yield steps


class File:
    """A file's bytes: whole on disk or not."""

    def __init__(self) -> None:
        self.synced = False


Entry = File | None
"""What a name stands for: a file, or None for a folder."""


class Survivors:
    """What one power cut left: durable names and files."""

    def __init__(self, names: dict[str, Entry]) -> None:
        self._names = names

    def whole(self, path: str, root: str) -> bool | None:
        """True: reachable from `root` with its bytes; False: reachable without them; None: not there."""
        folder = os.path.dirname(path)
        while folder != root:
            if self._names.get(folder, self) is not None:
                return None
            folder = os.path.dirname(folder)
        file = self._names.get(path)
        return file.synced if file is not None else None


def cuts(steps: Sequence[Step], before: Sequence[Step] = ()) -> Iterator[tuple[int, Survivors]]:
    """For each number of steps done, every state of the disk a power cut may leave; the steps `before` are all durable."""
    live: dict[str, Entry] = {}
    for step in before:
        _do(live, step)
    for file in live.values():
        if file is not None:
            file.synced = True
    durable, pending = dict(live), []
    for done, step in enumerate([*steps, None]):
        for kept in product((False, True), repeat=len(pending)):
            names = dict(durable)
            for keep, (name, entry, present) in zip(kept, pending, strict=True):
                if keep:
                    _set(names, name, entry, present=present)
            yield done, Survivors(names)
        if step is None:
            return
        if step.verb == "sync" and live.get(step.path) is not None:
            live[step.path].synced = True
        elif step.verb == "sync":
            for name, entry, present in [change for change in pending if os.path.dirname(change[0]) == step.path]:
                _set(durable, name, entry, present=present)
            pending = [change for change in pending if os.path.dirname(change[0]) != step.path]
        else:
            pending += _do(live, step)


def _do(live: dict[str, Entry], step: Step) -> list[tuple[str, Entry, bool]]:
    """Does a step; returns the changes of names it makes."""
    match step.verb:
        case "create":
            changes = [(step.path, File(), True)]
        case "mkdir":
            changes = [(step.path, None, True)]
        case "link":
            changes = [(step.path, live[step.source], True)]
        case "replace":
            changes = [(step.path, live[step.source], True), (step.source, None, False)]
        case "unlink" | "rmdir":
            changes = [(step.path, None, False)]
        case _:
            changes = []
    for name, entry, present in changes:
        _set(live, name, entry, present=present)
    return changes


def _set(names: dict[str, Entry], name: str, entry: Entry, *, present: bool) -> None:
    if present:
        names[name] = entry
    else:
        names.pop(name, None)
