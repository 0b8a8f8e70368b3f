"""Which place does which duty, and which stands by for it. Pure: what is seen goes in, what is to be changed comes out, with its reason.

A duty stays where it is as long as that is good, and it goes to its standby, who watches its lease already. Every duty is done by one place
if any place can do it: room is soft, better overloaded than unrecorded. Only the lanes are hard: lane b is never done by the node that does
lane a of the same shard.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from segments.duty import LANE_OF, RECORD, Duty, Place, Placing
from segments.model import Camera
from segments.shards import shard_of

PAYS = 0.1
"""A duty with cameras is moved only to a place that is fuller by so much less of its room afterwards than the old one was before."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What a round looks at. `alive` and `dead` are names of places (deploy/fleet/beats.py); those in between keep what they have.

    `wanted`: the duties that are to be done, with their numbers of cameras. `leases`: who has the lease of a duty, unless it is free.
    `calm`: nothing about the places has changed for a while.
    """

    places: Sequence[Place]
    alive: frozenset[str]
    dead: frozenset[str]
    wanted: Mapping[Duty, int]
    placings: Sequence[Placing]
    leases: Mapping[Duty, str]
    calm: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """One placing to be written, or removed, and why."""

    placing: Placing
    reason: str
    removes: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do, in this order (what is new comes before what goes), and what a person must look at. `move`: it moves for balance only."""

    changes: tuple[Change, ...]
    alarms: tuple[str, ...]
    move: bool = False


def duties_of(cameras: Iterable[Camera], shards: int) -> Counter[Duty]:
    """How many of these cameras are to be recorded in which duty: in lane b only those that are recorded twice."""
    enabled = [(camera.twice, shard_of(camera.id, shards)) for camera in cameras if camera.enabled]
    first = Counter(Duty(RECORD["a"], shard, shards) for _, shard in enabled)
    return first + Counter(Duty(RECORD["b"], shard, shards) for twice, shard in enabled if twice)


def wanted_duties(counts: Iterable[Counter[Duty]], shards: int) -> dict[Duty, int]:
    """All recording duties of a site: lane a of every shard, with cameras or without, and lane b of those that have cameras for it."""
    wanted = {Duty(RECORD["a"], shard, shards): 0 for shard in range(shards)}
    for count in counts:
        for duty, cameras in count.items():
            wanted[duty] = wanted.get(duty, 0) + cameras
    return wanted


def done_somewhere(duties: Iterable[Duty], places: Iterable[Place]) -> dict[Duty, int]:
    """Those of a kind that some place does. They have no cameras of their own."""
    kinds = {kind for place in places for kind in place.kinds}
    return {duty: 0 for duty in duties if duty.kind in kinds}


def plan(scene: Scene) -> Plan:
    """What a round changes: where duties must go, then standbys, and if nothing else is to be done one move that pays."""
    board = _Board(scene)
    for duty in sorted(scene.wanted, key=lambda duty: (duty.kind, -scene.wanted[duty], duty)):
        board.place(duty)
    for duty in sorted(scene.wanted):
        board.back(duty)
    changes = board.changes()
    if changes or not scene.calm or any(scene.leases.get(duty) != name for duty, name in board.holders.items()):
        return Plan(changes, board.alarms())
    board.balance()
    changes = board.changes()
    return Plan(changes, board.alarms(), move=bool(changes))


class _Board:
    """Who does what, while a round decides."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._places = {place.name: place for place in scene.places}
        self._placed: dict[Duty, dict[str, Placing]] = {}
        for placing in sorted(scene.placings):
            self._placed.setdefault(placing.duty, {})[placing.place] = placing
        self._load: Counter[str] = Counter()
        self._backing: Counter[str] = Counter()
        self._reasons: dict[Duty, str] = {}
        self.holders: dict[Duty, str] = {}
        self.standbys: dict[Duty, str] = {}

    # --- who does it ---

    def place(self, duty: Duty) -> None:
        """Finds a holder: who has the lease, else who is placed, else the standby, else another, else who must not."""
        for name, reason in self._choices(duty):
            if name != self._sister(duty, self.holders):
                self.holders[duty] = name
                self._load[name] += self._weight(duty)
                self._reasons[duty] = reason
                return

    def _choices(self, duty: Duty) -> Iterator[tuple[str, str]]:
        placed = self._placed.get(duty, {})
        leased = self._scene.leases.get(duty)
        doing = [name for name in (leased, *_of(placed, standby=False)) if name is not None and name in placed]
        yield from ((name, "it has the lease") for name in doing if self._may_keep(name, duty))
        reason = "nobody did it" if not doing else f"{doing[0]} cannot go on with it"
        standing = [name for name in _of(placed, standby=True) if self._may_get(name, duty)]
        yield from ((name, f"{reason}, and it stood by") for name in standing)
        sister = self._sister(duty, self._scene.leases)
        fresh = [name for name in self._places if self._may_get(name, duty)]
        yield from ((name, reason) for name in sorted(fresh, key=lambda name: (name == sister, *self._fullness(name, duty))))
        able = [name for name, place in self._places.items() if name in self._scene.alive and duty.kind in place.kinds]
        last = [*sorted(able, key=lambda name: (name not in doing, *self._fullness(name, duty))), *doing]
        yield from ((name, "nobody else can do it") for name in last if name in self._places)

    def _may_keep(self, name: str, duty: Duty) -> bool:
        place = self._places.get(name)
        return place is not None and name not in self._scene.dead and not place.draining and duty.kind in place.kinds

    def _may_get(self, name: str, duty: Duty) -> bool:
        return name in self._scene.alive and self._may_keep(name, duty)

    # --- who stands by ---

    def back(self, duty: Duty) -> None:
        """Finds a standby, once somebody does the duty: before that two would run for it. One that stands by stays if it is as good."""
        holder = self.holders.get(duty)
        present = _of(self._placed.get(duty, {}), standby=True)
        if holder is None or (self._scene.leases.get(duty) != holder and not present):
            return
        fit = [name for name in self._places if name != holder and not self._is_lane_b_of(duty, name)]
        fit = [name for name in fit if self._may_get(name, duty) or (name in present and self._may_keep(name, duty))]
        if fit:
            chosen = min(fit, key=lambda name: (*self._reluctance(name, duty), name not in present, *self._fullness(name, duty)))
            self.standbys[duty] = chosen
            self._backing[chosen] += self._weight(duty)

    def _reluctance(self, name: str, duty: Duty) -> tuple[bool, bool]:
        """A standby should not do the other lane, and should be alive."""
        return (name == self._sister(duty, self.holders), name not in self._scene.alive)

    def _is_lane_b_of(self, duty: Duty, name: str) -> bool:
        """Whether this would be lane b of what the place does in lane a: that it may not even stand by for."""
        return duty.kind == RECORD["b"] and name == self._sister(duty, self.holders)

    # --- balance ---

    def balance(self) -> None:
        """The one move that pays most, if any does: to the standby, or else its target stands by first and is moved to in a later round."""
        moves = [(duty, name) for duty in self.holders for name in self._places if self._pays(duty, name)]
        if not moves:
            return
        duty, name = min(moves, key=self._after_move)
        if self.standbys.get(duty) == name:
            self._reasons[duty] = f"{self.holders[duty]} carries more"
            self.holders[duty] = name
            del self.standbys[duty]
            self.standbys = {one: standby for one, standby in self.standbys.items() if not self._is_lane_b_of(one, standby)}
        else:
            self.standbys[duty] = name

    def _pays(self, duty: Duty, name: str) -> bool:
        if not self._may_get(name, duty) or name in (self.holders[duty], self._sister(duty, self.holders)):
            return False
        margin = PAYS if self._scene.wanted[duty] else 0.0
        return self._fill(name, self._weight(duty)) < self._fill(self.holders[duty]) - margin

    def _after_move(self, move: tuple[Duty, str]) -> tuple[float, float, bool, Duty, str]:
        """The fullest place first, then what evens out most, then to who stands by already."""
        duty, name = move
        before, weight = self._fill(self.holders[duty]), self._weight(duty)
        after = max(self._fill(name, weight), self._fill(self.holders[duty], -weight))
        return (-before, after, self.standbys.get(duty) != name, duty, name)

    # --- figures ---

    def _weight(self, duty: Duty) -> int:
        """A duty without cameras counts too: it will have some."""
        return max(1, self._scene.wanted[duty])

    def _fill(self, name: str, more: int = 0) -> float:
        return (self._load[name] + more) / max(1, self._places[name].room)

    def _fullness(self, name: str, duty: Duty) -> tuple[bool, float, str]:
        """How full a place would be with this duty, with what it stands by for: places with room first, then the emptier ones."""
        weight, room = self._weight(duty), self._places[name].room
        return (self._load[name] + weight > room, (self._load[name] + self._backing[name] + weight) / max(1, room), name)

    def _sister(self, duty: Duty, holders: Mapping[Duty, str]) -> str | None:
        """Who does the other lane of the same shard."""
        other = {RECORD["a"]: RECORD["b"], RECORD["b"]: RECORD["a"]}.get(duty.kind)
        return None if other is None else holders.get(replace(duty, kind=other))

    # --- what comes out ---

    def changes(self) -> tuple[Change, ...]:
        """From what is placed to what shall be."""
        target = [Placing(duty, name) for duty, name in sorted(self.holders.items())]
        target += [Placing(duty, name, standby=True) for duty, name in sorted(self.standbys.items())]
        present = set(self._scene.placings)
        new = [Change(placing, self._why(placing)) for placing in target if placing not in present]
        staying = {(placing.duty, placing.place) for placing in target}
        gone = [placing for placing in sorted(present) if (placing.duty, placing.place) not in staying]
        return (*new, *(Change(placing, self._why_gone(placing), removes=True) for placing in gone))

    def _why(self, placing: Placing) -> str:
        return "it stands by" if placing.standby else self._reasons[placing.duty]

    def _why_gone(self, placing: Placing) -> str:
        if placing.duty not in self._scene.wanted:
            return "it is not wanted any more"
        holder = self.holders.get(placing.duty)
        return f"{holder} does it" if holder else "nobody can do it"

    def alarms(self) -> tuple[str, ...]:
        """What a person must look at."""
        return (*self._unplaced(), *self._stuck(), *self._overloaded())

    def _unplaced(self) -> Iterator[str]:
        homeless = [duty for duty in self._scene.wanted if duty not in self.holders and duty.kind in LANE_OF]
        second = [duty for duty in homeless if duty.kind == RECORD["b"]]
        if second:
            cameras = sum(self._scene.wanted[duty] for duty in second)
            yield f"{cameras} cameras are to be recorded twice, and there is no second node for them: add one"
        if len(homeless) > len(second):
            yield f"{len(homeless) - len(second)} recording duties are done by nobody: no node is there that can"
        others = sorted(str(duty) for duty in self._scene.wanted if duty not in self.holders and duty.kind not in LANE_OF)
        if others:
            yield f"nobody does {', '.join(others)}: no node is there that can"

    def _stuck(self) -> Iterator[str]:
        for name in sorted(set(self.holders.values())):
            if self._places[name].draining:
                yield f"node {name} cannot be emptied: nobody else can take its cameras"

    def _overloaded(self) -> Iterator[str]:
        for name, load in sorted(self._load.items()):
            records = not LANE_OF.keys().isdisjoint(self._places[name].kinds)
            if records and self._scene.calm and load > self._places[name].room:
                yield f"node {name} is to record {load} cameras and has room for {self._places[name].room}: add recorders or nodes"


def _of(placed: Mapping[str, Placing], *, standby: bool) -> list[str]:
    return [name for name, placing in placed.items() if placing.standby == standby]
