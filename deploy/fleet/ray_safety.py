"""Whether a Ray cluster lets only those in who know its token: whoever gets in runs programs on every node, and reads what they hold."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from deploy.safety import Problem, Rule, weakness
from segments.errors import StartRefused
from segments.secrets import read_secret_file

LIMIT_S = 30.0
_MEND = "set RAY_AUTH_MODE=token on every node before `ray start`, and its token by RAY_AUTH_TOKEN_PATH"
_STRANGER = """
import sys
from ray._private.services import canonicalize_bootstrap_address
from ray._raylet import GcsClient
from ray.exceptions import AuthenticationError
try:
    GcsClient(address=canonicalize_bootstrap_address(sys.argv[1])).internal_kv_keys(b"", b"", timeout=5)
except AuthenticationError:
    sys.exit(0)
sys.exit(11)
"""
_LET_IN = 11


def ray_problems(environment: Mapping[str, str] = os.environ) -> list[Problem]:
    """What is wrong with this process's token, which is where Ray looks: RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH, ~/.ray/auth_token."""
    if environment.get("RAY_AUTH_MODE", "").lower() != "token":
        return [Problem(Rule.RAY, "Ray's token authentication is off in this environment", _MEND)]
    token = environment.get("RAY_AUTH_TOKEN", "").strip()
    if not token:
        path = Path(environment.get("RAY_AUTH_TOKEN_PATH") or Path(environment.get("HOME", "~")).expanduser() / ".ray" / "auth_token")
        try:
            token = read_secret_file(path, what="the token of the Ray cluster")
        except StartRefused as refusal:
            return [Problem(Rule.RAY, str(refusal), _MEND)]
    weak = weakness(token, ours=True)
    return (
        [Problem(Rule.GUESSED, f"the token of the Ray cluster {weak}", "make another with `ray get-auth-token --generate`")] if weak else []
    )


def cluster_problems(address: str, environment: Mapping[str, str] = os.environ) -> list[Problem]:
    """Whether the cluster refuses a caller without token: asked from a process of its own, as a stranger would; it takes a second.

    A cluster that does not answer is passed over. One that was started without tokens lets callers in who have one: to have one proves
    nothing.
    """
    stranger = {name: value for name, value in environment.items() if not name.startswith("RAY_AUTH")} | {"RAY_AUTH_MODE": "disabled"}
    try:
        done = subprocess.run([sys.executable, "-c", _STRANGER, address], env=stranger, timeout=LIMIT_S, capture_output=True, check=False)
    except subprocess.TimeoutExpired:
        return []
    if done.returncode != _LET_IN:
        return []
    return [Problem(Rule.RAY, f"the Ray cluster at {address} lets in whoever comes, without a token", _MEND)]
