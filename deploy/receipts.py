"""Lines of receipts checked without the index, and against it: what was deleted, provable to who trusts neither us nor our index."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

from segments.errors import BadInput
from segments.ports import ReadReceipts, WriteReceipts
from segments.receipt import Fault, Receipt, checked

LONGEST_LINE_BYTES = 64 << 20
"""A longer line is no receipt: one has up to some thousand segments of about 300 bytes."""


class Head(NamedTuple):
    """The last receipt of a chain: its number, and the SHA-256 of its text."""

    number: int
    digest: str


class ReceiptIndex(ReadReceipts, WriteReceipts, Protocol):
    """What is needed of an index to see whether an export is whole."""


@dataclass
class Verified:
    """What lines of receipts came to. `faults` name their file and line."""

    receipts: int = 0
    segments: int = 0
    stored_bytes: int = 0
    heads: dict[str, Head] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


def verified(files: Sequence[Path]) -> Verified:
    """Checks files as parts of one export, in the order given. Raises BadInput if one cannot be read."""
    found, lines = Verified(), _Lines(files)
    for one in checked(lines):
        if isinstance(one, Fault):
            found.faults.append(f"{lines.where(one.line)}: {one.reason}")
            continue
        found.receipts += 1
        found.segments += len(one.segments)
        found.stored_bytes += one.size
        found.heads[one.chain] = Head(one.number, one.digest)
    return found


async def missing(found: Verified, index: ReceiptIndex) -> list[str]:
    """Where the end of a chain in the lines is not that of the index: receipts cut off, and chains left out or unknown."""
    said = []
    for chain in sorted({*found.heads, *await index.receipt_chains()}):
        here, last = found.heads.get(chain), await index.last_receipt(chain)
        if last is None:
            said.append(f"chain {chain} is not in the index")
        elif here is None:
            said.append(f"chain {chain} is not in these files; the index has {last.number} receipts of it")
        elif here.number > last.number:
            said.append(f"chain {chain} goes to {here.number} in these files, and to {last.number} in the index")
        else:
            said += await _behind(chain, here, last, index)
    return said


async def _behind(chain: str, here: Head, last: Receipt, index: ReadReceipts) -> list[str]:
    same = last if here.number == last.number else (await index.receipt_chain(chain, after=here.number - 1, limit=1)).items[0]
    said = [] if same.digest == here.digest else [f"chain {chain}: receipt {here.number} is another one in the index"]
    if here.number < last.number:
        said.append(f"chain {chain} ends at {here.number} in these files, and at {last.number} in the index: cut off, or exported before")
    return said


class _Lines(Iterable[str]):
    """The lines of several files, one after the other."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = files
        self._counts: list[int] = []

    def __iter__(self) -> Iterator[str]:
        for file in self._files:
            self._counts.append(0)
            try:
                with file.open(encoding="utf-8", newline="\n") as opened:
                    while line := opened.readline(LONGEST_LINE_BYTES):
                        self._counts[-1] += 1
                        yield line
            except OSError as error:
                raise BadInput(f"{file} cannot be read ({error.strerror})") from None
            except UnicodeDecodeError:
                raise BadInput(f"{file} is no file of receipts: it is not UTF-8") from None

    def where(self, line: int) -> str:
        """File and line of the `line`th of all that were read."""
        for file, count in zip(self._files, self._counts, strict=False):
            if line <= count:
                return f"{file}:{line}"
            line -= count
        raise BadInput(f"line {line} was not read")
