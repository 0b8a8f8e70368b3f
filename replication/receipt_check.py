"""Whether a chain of receipts is as it was written: what was changed, left out or cut off is seen by the hashes that tie it together."""

from __future__ import annotations

from replication.scrub_progress import Head
from segments.clock import Clock
from segments.errors import BadInput, DataDamaged
from segments.ports import ReadReceipts
from segments.receipt_chains import receipts_behind

NONE = Head(0, "")


async def check_chain(index: ReadReceipts, chain: str, head: Head | None, clock: Clock) -> tuple[Head, str]:
    """Follows a chain from the receipt that was checked last, which must still be there, to its end (None: from its beginning).

    Gives its end and '', or `NONE` and what is wrong with it. Raises TryAgain.
    """
    known = head or NONE
    at = NONE if known.number == 0 else Head(known.number - 1, "")
    try:
        async for page in receipts_behind(index, chain, at.number, clock):
            for receipt in page:
                if receipt.number != at.number + 1:
                    return NONE, f"it goes from {at.number} to {receipt.number}"
                if receipt.number == known.number and receipt.digest != known.digest:
                    return NONE, f"receipt {receipt.number} is not the one that was there when it was checked before"
                if receipt.number > known.number and receipt.previous != at.digest:
                    return NONE, f"receipt {at.number} is not the one that {receipt.number} was written after"
                at = Head(receipt.number, receipt.digest)
    except (BadInput, DataDamaged) as error:
        return NONE, f"behind {at.number}: {error}"
    if at.number < known.number:
        return NONE, f"it does not go to {known.number} any more, where it ended when it was checked before"
    return at, ""
