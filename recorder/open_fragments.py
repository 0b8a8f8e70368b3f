"""What an open segment holds, and how much of it is acknowledged."""

from __future__ import annotations

from dataclasses import dataclass, field

from recorder.link import Durable
from recorder.session import RunAbout
from recorder.spool import OpenSegment
from segments.model import Fragment


@dataclass(slots=True)
class OpenFragments:
    """An open segment's fragments in order; the first `durable` of them survive a power cut."""

    segment: OpenSegment
    about: RunAbout
    fragments: list[Fragment] = field(default_factory=list)
    ends_us: list[int] = field(default_factory=list)
    durable: int = 0

    @property
    def buffered(self) -> int:
        """How many are not durable yet."""
        return len(self.fragments) - self.durable

    def add(self, fragment: Fragment, end_us: int) -> None:
        """One more, written and not durable; its footage ends at `end_us`."""
        self.fragments.append(fragment)
        self.ends_us.append(end_us)

    def acknowledge(self, durable_bytes: int) -> Durable | None:
        """So many bytes are durable now: the word on those fragments that have become so with them, None if none has."""
        first = self.durable
        while self.buffered and self.fragments[self.durable].offset + self.fragments[self.durable].length <= durable_bytes:
            self.durable += 1
        return self.word(first) if self.durable > first else None

    def word(self, first: int = 0) -> Durable:
        """What is durable of it, from the fragment `first` on."""
        segment = self.segment
        end_us = self.ends_us[self.durable - 1] if self.durable else segment.start_us
        fragments = tuple(self.fragments[first : self.durable])
        return Durable(segment.camera, segment.run, segment.counter, segment.start_us, end_us, self.about, fragments)
