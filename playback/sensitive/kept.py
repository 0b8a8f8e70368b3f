"""Declarations and consents in their records: every change by compare-and-set, so that of two at once only one comes true."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from playback.sensitive.consent import CONSENT, KEPT_US, MOST_OPEN, Consent, consent_of, consent_values, drawer
from playback.sensitive.declared import SENSITIVE, Declaration, declaration_of, declaration_values
from segments.errors import Conflict, NotFound
from segments.ports import Records
from segments.record import Record, new_record

_TRIES = 8


async def declarations(records: Records) -> list[Declaration]:
    """What is sensitive now."""
    return [one for one in map(declaration_of, await records.records(SENSITIVE)) if one.stands]


async def declare(records: Records, one: Declaration) -> Declaration:
    """Makes it sensitive from now on; what is already stays as it was declared first."""
    record = await _record(records, SENSITIVE, one.id)
    if record is not None and declaration_of(record).stands:
        return declaration_of(record)
    values = declaration_values(one)
    await records.put_record(record.changed(values) if record else new_record(SENSITIVE, one.id, values))
    return one


async def declaration(records: Records, declared_id: str) -> Declaration:
    """One that stands; raises NotFound."""
    record = await _record(records, SENSITIVE, declared_id)
    if record is None or not declaration_of(record).stands:
        raise NotFound(f"nothing is declared sensitive as {declared_id}")
    return declaration_of(record)


async def undeclare(records: Records, declared_id: str, *, by: str, reason: str, now_us: int) -> Declaration:
    """Takes a declaration back; raises NotFound."""
    await declaration(records, declared_id)
    record = await records.record(SENSITIVE, declared_id)
    after = declaration_of(record).removed(now_us, by, reason)
    await records.put_record(record.changed(declaration_values(after)))
    return after


async def consents_of(records: Records, subject_id: str) -> list[Consent]:
    """What somebody asked lately, in the order asked."""
    return _consents(await _record(records, CONSENT, drawer(subject_id)))


async def all_consents(records: Records) -> list[Consent]:
    """What everybody asked lately."""
    return [one for record in await records.records(CONSENT) for one in _consents(record)]


async def consent(records: Records, consent_id: str) -> Consent:
    """One consent; raises NotFound."""
    return _named(_consents(await _record(records, CONSENT, consent_id.partition("-")[0])), consent_id)


async def ask(records: Records, one: Consent) -> Consent:
    """Keeps a question; raises Conflict if its asker has too many that stand."""

    def with_it(before: Sequence[Consent]) -> list[Consent]:
        if sum(each.is_open(one.asked_us) for each in before) >= MOST_OPEN:
            raise Conflict(f"{MOST_OPEN} of your questions and consents stand already: withdraw some first")
        return [*(each for each in before if each.until_us > one.asked_us - KEPT_US), one]

    await _change(records, one.id, with_it)
    return one


async def change(records: Records, consent_id: str, step: Callable[[Consent], Consent]) -> Consent:
    """Takes a step with a consent as it is at that moment; the step raises Conflict if it comes too late. Raises NotFound."""

    def stepped(before: Sequence[Consent]) -> list[Consent]:
        after = step(_named(before, consent_id))
        return [after if each.id == consent_id else each for each in before]

    return _named(await _change(records, consent_id, stepped), consent_id)


async def _change(records: Records, consent_id: str, how: Callable[[Sequence[Consent]], list[Consent]]) -> list[Consent]:
    """Changes the drawer a consent lies in; others may change it at the same time."""
    where = consent_id.partition("-")[0]
    for attempt in range(1, _TRIES + 1):
        record = await _record(records, CONSENT, where)
        after = how(_consents(record))
        values = {"consents": [consent_values(one) for one in after]}
        try:
            await records.put_record(record.changed(values) if record else new_record(CONSENT, where, values))
        except Conflict:
            if attempt == _TRIES:
                raise
            continue
        return after
    raise AssertionError


def _named(found: Sequence[Consent], consent_id: str) -> Consent:
    one = next((one for one in found if one.id == consent_id), None)
    if one is None:
        raise NotFound(f"there is no consent {consent_id}")
    return one


def _consents(record: Record | None) -> list[Consent]:
    return [consent_of(values) for values in record.values["consents"]] if record else []


async def _record(records: Records, kind: str, record_id: str) -> Record | None:
    try:
        return await records.record(kind, record_id)
    except NotFound:
        return None
