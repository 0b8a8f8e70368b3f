"""Why a camera's footage is kept for as long as it is, and when that of a day goes: every rule that was looked at, and every reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import groupby
from typing import Any, NamedTuple, Protocol

from retention.belongings import Former
from retention.copies import NO_COPIES, Copies
from retention.held import archived_camera
from retention.look import Look, batch_rows_of, planned, rows_of
from retention.plan import DayPlan, Verdict, sentence
from retention.policy import Belonging, Choice, Due, belonging, choose, due, in_force
from retention.precedence import Considered, considered
from retention.rules import Rules, read_rules
from segments.clock import iso
from segments.errors import BadInput, NotFound
from segments.hold import FOR_EVER_US, Hold
from segments.model import Batch, Camera, RowPosition, Span
from segments.ports import Batches, BatchRows, Cameras, ReadReceipts, ReadRows, Records
from segments.receipt import Receipt, joined_spans


class ExplainIndex(Records, Cameras, ReadRows, Batches, BatchRows, ReadReceipts, Protocol):
    """What explaining needs of the index."""


class PolicySays(NamedTuple):
    """What one policy says of a camera as it is or was: `since` is a sentence on why that counts."""

    version: int
    since: str
    rules: tuple[Considered, ...]
    choice: Choice


class Group(NamedTuple):
    """Segments of a day that follow each other and share a verdict."""

    span: Span
    segments: int
    stored_bytes: int
    verdict: Verdict
    said: str


class Removed(NamedTuple):
    """A receipt, as far as a reader wants it first."""

    chain: str
    number: int
    confirmed_us: int
    segments: int
    stored_bytes: int
    spans: tuple[Span, ...]
    rule: str
    reasons: dict[str, int]


@dataclass(frozen=True, slots=True)
class DayExplanation:
    """What becomes of a camera-day (UTC): what is there, what is on its way out, and what went."""

    day: date
    groups: Sequence[Group]
    batch: Batch | None
    leaving: int
    """Segments of the batch that are out of the index already, or are about to be."""
    removed: Sequence[Removed]

    @property
    def anything(self) -> bool:
        """Whether there is, or was, anything of that day."""
        return bool(self.groups or self.batch or self.removed)


@dataclass(frozen=True, slots=True)
class Explanation:
    """Of a camera. `finding`: why nothing is decided at all, else ''. `now_due`: when footage that ends now goes."""

    camera: str
    archived: bool
    now_us: int
    finding: str
    says: Sequence[PolicySays] = ()
    holds: Sequence[Hold] = ()
    now_due: Due | None = None
    day: DayExplanation | None = None

    def as_json(self) -> dict[str, Any]:
        """For programs; moments are RFC 3339."""
        return {
            "camera": self.camera,
            "archived": self.archived,
            "at": iso(self.now_us),
            "finding": self.finding,
            "policies": [_says_json(each) for each in self.says],
            "holds": [{"id": hold.id, "case": hold.case, **_span_json(hold.span)} for hold in self.holds],
            "footage_of_now": _due_json(self.now_due) if self.now_due else None,
            "day": _day_json(self.day) if self.day else None,
        }


async def explain(index: ExplainIndex, camera_id: str, day: date | None = None, *, now_us: int, copies: Copies = NO_COPIES) -> Explanation:
    """Why, and when. Raises NotFound if nothing is known of such a camera, and it has nothing on that day."""
    unheard = await copies.hear() if day is not None else {}
    rules = await read_rules(index)
    archived = await archived_camera(camera_id, index)
    camera = rules.camera(camera_id, archived)
    found = _of_camera(rules, camera, now_us, archived=archived is not None)
    if day is not None:
        looked = Look(rules, now_us, asked_ns=0, copies=copies, unheard=unheard)
        found = replace(found, day=await _of_day(index, looked, found, camera, day))
    if archived is None and camera_id not in rules.former and not (found.day and found.day.anything):
        raise NotFound(f"there is no camera {camera_id} in the archive, and there was none")
    return found


def _of_camera(rules: Rules, camera: Camera, now_us: int, *, archived: bool) -> Explanation:
    held = [hold for hold in rules.holds if hold.covers(camera)]
    try:
        around = rules.circumstances(camera, now_us, archived=archived)
    except BadInput as error:
        return Explanation(camera.id, archived, now_us, str(error), holds=held)
    says = tuple(_says(rules, camera, now_us, archived=archived))
    finding = "" if says else "nothing is known of this camera: its footage stays as long as any tier says"
    return Explanation(camera.id, archived, now_us, finding, says, held, due(around.chosen, now_us, around.zone))


# --- rules


def _says(rules: Rules, camera: Camera, now_us: int, *, archived: bool) -> Iterator[PolicySays]:
    """Those of the policies that count, of the camera as it is and as it was; the same that `retention.policy.choices` takes."""
    former = [each for each in rules.former.get(camera.id, ()) if each.until_us > now_us]
    for policy in in_force(rules.policies, now_us):
        standing = (
            "binds" if policy.binds_us <= now_us else f"announced: what it lengthens counts now, the rest from {iso(policy.binds_us)}"
        )
        for was, counts in _who(camera, former, archived=archived):
            yield PolicySays(policy.version, "; ".join(filter(None, (standing, counts))), considered(policy, was), choose(policy, was))


def _who(camera: Camera, former: Sequence[Former], *, archived: bool) -> Iterator[tuple[Belonging, str]]:
    if archived:
        yield belonging(camera), ""
    for each in former:
        if not archived or each.was != belonging(camera):
            until = "for good" if each.until_us == FOR_EVER_US else f"until {iso(each.until_us)}"
            yield each.was, f"what the camera was (area {each.was.area or 'none'}, class {each.was.camera_class}) counts {until}"


# --- a day


async def _of_day(index: ExplainIndex, looked: Look, found: Explanation, camera: Camera, day: date) -> DayExplanation:
    batch = await index.batch(camera.id, day)
    rows = await rows_of(index, camera.id, day)
    leaving = len(await batch_rows_of(index, batch)) if batch else 0
    removed = [_removed(receipt) for receipt in await index.receipts(camera.id, day.replace(day=1)) if receipt.day == day]
    if not found.now_due:
        return DayExplanation(day, [], batch, leaving, removed)
    plan, short = await planned(looked, camera, day, rows, archived=found.archived)
    return DayExplanation(day, list(_groups(plan, short, found.holds)), batch, leaving, removed)


def _groups(plan: DayPlan, short: Mapping[RowPosition, str], holds: Sequence[Hold]) -> Iterator[Group]:
    for (verdict, waits_for), of_it in groupby(plan.verdicts, key=lambda each: (each[1], short.get(each[0].position, ""))):
        together = [row for row, _ in of_it]
        span = Span(together[0].start_us, max(row.end_us for row in together))
        said = sentence(verdict, holds, waits_for=waits_for)
        yield Group(span, len(together), sum(row.size for row in together), verdict, said)


def _removed(receipt: Receipt) -> Removed:
    spans = tuple(joined_spans(receipt.spans))
    reasons = dict(receipt.reasons)
    return Removed(receipt.chain, receipt.number, receipt.confirmed_us, len(receipt.segments), receipt.size, spans, receipt.rule, reasons)


# --- as JSON


def _says_json(says: PolicySays) -> dict[str, Any]:
    tier = says.choice.tier
    return {
        "policy": says.version,
        "counts": says.since,
        "tier": tier.name,
        "chosen_by": str(says.choice),
        "floor": str(tier.floor),
        "keep_for": str(tier.keep_for),
        "ceiling": str(tier.ceiling),
        "rules": [rule._asdict() for rule in says.rules],
    }


def _due_json(times: Due) -> dict[str, Any]:
    moments = {"may_go": times.floor_us, "falls_due": times.keep_us, "must_be_gone": times.ceiling_us}
    return {name: iso(at_us) for name, at_us in moments.items()} | {"by": str(times.choice)}


def _span_json(span: Span) -> dict[str, str | None]:
    return {"from": iso(span.start_us), "to": iso(span.end_us) if span.end_us < FOR_EVER_US else None}


def _day_json(day: DayExplanation) -> dict[str, Any]:
    batch = day.batch
    return {
        "day": day.day.isoformat(),
        "groups": [
            {**_span_json(group.span), "segments": group.segments, "bytes": group.stored_bytes, "why": group.verdict.why}
            | {"deletes": group.verdict.deletes, "holds": group.verdict.holds, **_due_json(group.verdict.due), "sentence": group.said}
            for group in day.groups
        ],
        "batch": batch and {"state": batch.state, "since": iso(batch.since_us), "segments": day.leaving, "finding": batch.finding},
        "removed": [
            {"receipt": f"{each.chain} {each.number}", "gone_since": iso(each.confirmed_us), "segments": each.segments}
            | {"bytes": each.stored_bytes, "spans": [_span_json(span) for span in each.spans], "rule": each.rule, "reasons": each.reasons}
            for each in day.removed
        ],
    }
