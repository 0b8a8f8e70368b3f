"""Runs the attacks on held evidence: every role with every verb, or with every verb after every other, and counts what survives."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.faults.locked_evidence import ON_ALL, ON_ONE, UNSETTLING, Evidence, Guard, Keys, Role, Scene, Verb, expire, lift_hold
from tests.servers.seaweedfs import SeaweedFs


@dataclass(frozen=True, slots=True)
class Attack:
    """Who does what, one after the other."""

    guard: Guard
    role: Role
    verbs: Sequence[Verb]

    @property
    def allowed(self) -> bool:
        """Whether the owner lifts a hold that nothing else backs: S3 allows that to who holds the right."""
        return self.guard is Guard.HOLD and self.role is Role.OWNER and lift_hold in self.verbs

    def __str__(self) -> str:
        return f"{self.guard.value}: {self.role.value}: {', '.join(verb.__name__ for verb in self.verbs)}"


@dataclass
class Tally:
    """What became of the evidence: attacks after which the version, or that of another attack, was not there bit for bit."""

    trials: int = 0
    lost: list[Attack] = field(default_factory=list)
    lifted: list[Attack] = field(default_factory=list)
    """The same, but allowed."""


def attacks(guard: Guard, *, pairs: bool) -> Iterator[Attack]:
    """Every role with every verb; `pairs`: and with every verb after every other."""
    for role in Role:
        yield from (Attack(guard, role, [verb]) for verb in ON_ONE)
        if pairs:
            yield from (Attack(guard, role, both) for both in itertools.permutations(ON_ONE, 2))


async def attacked(keys: Keys, guard: Guard, *, pairs: bool = False) -> Tally:
    """Lays evidence for each attack, lets the attack run and looks for it; then those that are against all of it."""
    scene, tally, standing = Scene(keys, guard), Tally(), []
    for number, attack in enumerate(attacks(guard, pairs=pairs)):
        evidence = await scene.lay(f"{number:05d}")
        for verb in attack.verbs:
            verb(scene.clients[attack.role], evidence)
        if scene.survives(evidence):
            standing.append(evidence)
        else:
            (tally.lifted if attack.allowed else tally.lost).append(attack)
        if not UNSETTLING.isdisjoint(attack.verbs):
            scene.restore()
        tally.trials += 1
    for number, (verb, role) in enumerate(itertools.product(ON_ALL, Role)):
        standing.append(await scene.lay(f"all-{number}"))
        standing = _attack_all(scene, Attack(guard, role, [verb]), standing, tally)
    scene.close()
    return tally


def _attack_all(scene: Scene, attack: Attack, standing: list[Evidence], tally: Tally) -> list[Evidence]:
    """Returns what still stands. versitygw knows no lifecycle rules: there such an attack is one that is refused."""
    (verb,) = attack.verbs
    verb(scene.clients[attack.role], standing[-1])
    if verb is expire and isinstance(scene.server, SeaweedFs):
        scene.server.expire()
    left = [evidence for evidence in standing if scene.survives(evidence)]
    if len(left) < len(standing):
        tally.lost.append(attack)
    if not UNSETTLING.isdisjoint(attack.verbs):
        scene.restore()
    tally.trials += 1
    return left
