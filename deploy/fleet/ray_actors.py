"""The thin actors of the Ray fleet around `Guardian` and `Supervisor`, and what the supervisor asks of Ray. Only `ray_fleet` imports it.

Actors are told names and nothing else: what a node needs to know (its configuration, its keys) it has itself. Ray keeps arguments in its
logs and its dashboard.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import ray
from ray.exceptions import GetTimeoutError, RayError
from ray.util import list_named_actors
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from deploy.fleet.guardian import Guardian, GuardianReport
from deploy.fleet.node_orders import node_orders
from deploy.fleet.supervisor import FleetReport, Post, Supervisor
from deploy.logs import set_up_logs
from segments.clock import SystemClock
from segments.errors import KeepsightError, TryAgain

T = TypeVar("T")

RESOURCE = "keepsight"
"""The custom resource by which a node offers itself: `ray start --resources '{"keepsight": 1}'`."""
NAMESPACE = "keepsight"
_SHARE = 0.001
"""Of the resource and of a CPU, for each actor. Not nothing: nodes would not be chosen by it, nor would the cluster grow."""
_ASK_S = 2.0
_END_S = 40.0
"""Above the time a program is given to end in order."""


class GuardianActor:
    """A guardian as an actor; it begins by itself, after a restart too."""

    def __init__(self, program: str) -> None:
        set_up_logs(f"guardian of {program}")
        self._guardian = Guardian(program, orders=node_orders, clock=SystemClock())
        self._running = asyncio.get_running_loop().create_task(self._guardian.run())

    async def report(self) -> GuardianReport:
        """How the program stands."""
        return self._guardian.report()

    async def end(self) -> None:
        """Ends the program in order."""
        await _ended(self._running)


class SupervisorActor:
    """The supervisor as an actor, on any node that offers itself; Ray starts it on another when that one is lost."""

    def __init__(self, site: str) -> None:
        set_up_logs("supervisor")
        self._supervisor = Supervisor(RayCluster(site), clock=SystemClock(), usual=_programs_here())
        self._running = asyncio.get_running_loop().create_task(self._supervisor.run())

    async def report(self) -> FleetReport:
        """What it saw in its last round."""
        return self._supervisor.report

    async def stop(self) -> None:
        """Ends all guardians in order, and looks no more."""
        await _ended(self._running)
        await self._supervisor.stop()


def _programs_here() -> Sequence[str]:
    """What this node has, the others have most likely too."""
    try:
        return [program.name for program in node_orders().programs]
    except KeepsightError:
        return ()


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


class RayCluster:
    """See `deploy.fleet.supervisor.Cluster`. Calls of Ray's head block while it is away: they have a thread of their own."""

    def __init__(self, site: str) -> None:
        self._site = site
        self._thread = ThreadPoolExecutor(1, "ray")

    async def nodes(self) -> Sequence[str]:
        """See `Cluster`."""
        found = await self._of_head(ray.nodes)
        return [node["NodeID"] for node in found if node["Alive"] and node["Resources"].get(RESOURCE)]

    async def guardians(self) -> Sequence[Post]:
        """See `Cluster`."""
        names = (name.split("/") for name in await self._of_head(list_named_actors))
        return [Post(name[1], name[2]) for name in names if len(name) == 3 and name[0] == self._site]

    async def make(self, post: Post) -> None:
        """See `Cluster`; on this node and no other."""
        actor: Any = ray.remote(GuardianActor)
        options = actor.options(
            **_options(f"{self._site}/{post.node_id}/{post.program}"),
            scheduling_strategy=NodeAffinitySchedulingStrategy(post.node_id, soft=False),
        )
        await self._of_head(lambda: options.remote(post.program))

    async def ask(self, post: Post) -> GuardianReport | None:
        """See `Cluster`."""
        try:
            report: GuardianReport = await self._answer(await self._handle(post), "report", _ASK_S)
        except (RayError, ValueError, TimeoutError):
            return None
        return report

    async def end(self, post: Post) -> None:
        """See `Cluster`."""
        with contextlib.suppress(RayError, ValueError, TimeoutError):
            handle = await self._handle(post)
            with contextlib.suppress(TimeoutError):
                await self._answer(handle, "end", _END_S)
            await self._of_head(lambda: ray.kill(handle, no_restart=True))

    async def _handle(self, post: Post) -> Any:
        return await self._of_head(lambda: ray.get_actor(f"{self._site}/{post.node_id}/{post.program}"))

    async def _answer(self, handle: Any, method: str, limit_s: float) -> Any:
        asked = getattr(handle, method).remote()
        return await asyncio.wait_for(asyncio.wrap_future(asked.future()), limit_s)

    async def _of_head(self, call: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, call)
        except (RayError, GetTimeoutError, RuntimeError) as error:
            raise TryAgain(f"Ray's head does not answer ({type(error).__name__})") from None


def supervisor(site: str) -> Any:
    """The site's supervisor, made if there is none."""
    actor: Any = ray.remote(SupervisorActor)
    return actor.options(**_options(supervisor_name(site))).remote(site)


def supervisor_name(site: str) -> str:
    """The name of the supervisor's actor; guardians are `<site>/<id of the node>/<program>`."""
    return f"{site}/supervisor"


def _options(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "namespace": NAMESPACE,
        "lifetime": "detached",
        "get_if_exists": True,
        "max_restarts": -1,
        "max_concurrency": 8,
        "num_cpus": _SHARE,
        "resources": {RESOURCE: _SHARE},
    }
