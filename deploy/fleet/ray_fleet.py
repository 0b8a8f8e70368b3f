"""The Ray fleet from outside: joins the Ray cluster of this machine, makes or adopts the supervisor, asks it, stops it."""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
import socket
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from deploy.fleet.ray_safety import cluster_problems, ray_problems
from deploy.fleet.supervisor import FleetReport, Supervisor
from deploy.programs import fleet_programs
from deploy.safety import refuse
from deploy.settings import Settings
from segments.clock import SystemClock
from segments.errors import NotFound, StartRefused, TryAgain

ANSWER_S = 30.0
"""For a supervisor that is only being started: an actor takes some seconds on a machine at work."""
STOP_S = 120.0
JOIN_S = 10
_PATIENCE = "RAY_gcs_rpc_server_reconnect_timeout_s"
"""How long Ray waits for its head. The nodes' is days, since what waits there records; a command's is short."""


@contextmanager
def joined(settings: Settings, *, to_start: bool = False) -> Iterator[RayFleet]:
    """Joins the Ray cluster; raises StartRefused without Ray or without its token authentication, TryAgain if no cluster answers.

    `to_start`: StartRefused too if the cluster lets callers in without a token. What Ray's core says meanwhile on standard output goes to
    standard error: the output may be somebody's JSON.
    """
    sys.stdout.flush()
    ours = os.dup(1)
    os.dup2(2, 1)
    try:
        with _joined(settings, to_start=to_start) as fleet:
            yield fleet
    finally:
        ctypes.CDLL(None).fflush(None)
        os.dup2(ours, 1)
        os.close(ours)


@contextmanager
def _joined(settings: Settings, *, to_start: bool) -> Iterator[RayFleet]:
    refuse(ray_problems(os.environ))
    os.environ[_PATIENCE] = str(JOIN_S)
    try:
        import ray

        from deploy.fleet import ray_actors
    except ImportError:
        raise StartRefused("fleet.kind ray needs Ray: install keepsight[cluster]") from None
    try:
        address = _address_of_head(settings.fleet.address)
        with ThreadPoolExecutor(1) as beside:
            problems = beside.submit(cluster_problems, address) if to_start else None
            ray.init(address=address, namespace=ray_actors.NAMESPACE, log_to_driver=False, logging_level=logging.ERROR)
            refuse(problems.result() if problems is not None else [])
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise TryAgain(
            f"no Ray cluster answers at {settings.fleet.address!r} ({type(error).__name__}); is `ray start` done on this machine?"
        ) from None
    try:
        yield RayFleet(settings)
    finally:
        ray.shutdown()


def _address_of_head(address: str) -> str:
    """The `host:port` of the cluster's head; raises OSError if none listens there. Ray itself would end this process, with no sentence."""
    from ray._private.services import canonicalize_bootstrap_address_or_die

    found = str(canonicalize_bootstrap_address_or_die(address))
    host, _, port = found.rpartition(":")
    with socket.create_connection((host.strip("[]"), int(port)), timeout=JOIN_S):
        return found


class RayFleet:
    """The site's fleet in the cluster that was joined."""

    def __init__(self, settings: Settings) -> None:
        self._site = settings.site.name
        self._usual = fleet_programs(settings)

    def start(self) -> FleetReport:
        """Makes the supervisor, or adopts the one there is; its first report. Raises TryAgain if no node offers itself.

        The supervisor's first round is done here: guardians need not wait until its actor has started, and none is made twice.
        """
        from deploy.fleet.ray_actors import RayCluster, supervisor

        made = supervisor(self._site)
        asyncio.run(Supervisor(RayCluster(self._site), clock=SystemClock(), usual=self._usual).round())
        return self._ask(made, "report", ANSWER_S)  # type: ignore[no-any-return]

    def report(self) -> FleetReport:
        """How the fleet stands; raises NotFound if it is not started."""
        return self._ask(self._supervisor(), "report", ANSWER_S)  # type: ignore[no-any-return]

    def stop(self) -> None:
        """Ends all programs in order, then the fleet; raises NotFound if it is not started."""
        import ray

        found = self._supervisor()
        self._ask(found, "stop", STOP_S)
        ray.kill(found, no_restart=True)

    def _supervisor(self) -> Any:
        import ray

        from deploy.fleet.ray_actors import supervisor_name

        try:
            return ray.get_actor(supervisor_name(self._site))
        except ValueError:
            raise NotFound(f"the fleet of site {self._site} is not started: `keepsight fleet start`") from None

    def _ask(self, actor: Any, method: str, limit_s: float) -> Any:
        import ray
        from ray.exceptions import GetTimeoutError, RayError

        try:
            return ray.get(getattr(actor, method).remote(), timeout=limit_s)
        except GetTimeoutError:
            raise TryAgain(
                f"the supervisor does not answer in {limit_s:g} s; does a node offer itself (`ray start --resources`, keepsight)?"
            ) from None
        except RayError as error:
            raise TryAgain(f"the supervisor does not answer ({type(error).__name__})") from None
