"""Promise R17: held evidence resists every role and verb on two S3 servers of different make; what it does not resist is said."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.locked_evidence import (
    ON_ALL,
    ON_ONE,
    Guard,
    Keys,
    Role,
    Scene,
    delete_bucket,
    expire,
    lift_hold,
    unlock_bucket,
    versitygw_with_roles,
    weed_with_roles,
)
from tests.faults.locked_trials import Attack, attacked

pytestmark = pytest.mark.server


@pytest.fixture(scope="module", params=[weed_with_roles, versitygw_with_roles], ids=["SeaweedFS", "versitygw"])
def keys(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keys]:
    """The roles' keys to one server after the other."""
    with request.param(tmp_path_factory.mktemp("store")) as server:
        keys = Keys(server)
        yield keys
        keys.close()


async def test_a_hold_resists_all_but_who_may_lift_it(keys: Keys) -> None:
    """No role destroys held evidence by any verb, but for the owner, who lifts the hold first, as S3 allows."""
    tally = await attacked(keys, Guard.HOLD)
    assert tally.trials == len(Role) * (len(ON_ONE) + len(ON_ALL))
    assert tally.lost == []
    assert tally.lifted == [Attack(Guard.HOLD, Role.OWNER, [lift_hold])]


async def test_with_a_retention_even_the_owner_is_resisted(keys: Keys) -> None:
    """Where a retention in compliance mode on the version backs the hold, its owner destroys nothing either while it lasts."""
    tally = await attacked(keys, Guard.HOLD_AND_RETENTION)
    assert (tally.lost, tally.lifted) == ([], [])


async def test_a_default_retention_guards_where_it_is_written_on_versions(keys: Keys) -> None:
    """An owner may take a bucket's default away: SeaweedFS wrote it on the version by then; versitygw did not, and guards it no more."""
    scene = Scene(keys, Guard.HOLD)
    scene.retain_by_default()
    evidence = await scene.lay("default")
    shown = scene.shows_retention(evidence)
    assert shown is (keys.server.name == "SeaweedFS")
    for verb in (lift_hold, unlock_bucket):  # the latter ends with a delete
        assert scene.survives(evidence)
        verb(scene.clients[Role.OWNER], evidence)
    assert scene.survives(evidence) is shown
    scene.close()


async def test_control_without_locks_every_attack_succeeds(keys: Keys) -> None:
    """Every verb is a real one: in a bucket without locks the owner and our service destroy the evidence by each, others by none."""
    tally = await attacked(keys, Guard.NOTHING)
    by_role = {role: {attack.verbs[0] for attack in tally.lost if attack.role is role} for role in Role}
    wide = [expire, delete_bucket] if keys.server.name == "SeaweedFS" else []  # versitygw has no such rules, and keeps what is not empty
    assert by_role[Role.OWNER] == {*ON_ONE, *wide}
    assert by_role[Role.SERVICE] == {*ON_ONE, *wide[:1]}
    assert by_role[Role.KEEPER] | by_role[Role.READER] == set()


async def test_it_takes_two_keys(keys: Keys) -> None:
    """The keeper lifts a hold and deletes nothing, our service deletes and lifts nothing: only when the one has lifted it can the other."""
    scene = Scene(keys, Guard.HOLD)
    evidence = await scene.lay("two-keys")
    lift_hold(scene.clients[Role.SERVICE], evidence)
    lift_hold(scene.clients[Role.KEEPER], evidence)
    assert scene.survives(evidence)
    lift_hold(scene.clients[Role.SERVICE], evidence)
    assert not scene.survives(evidence)
    scene.close()
