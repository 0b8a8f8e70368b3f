"""The image, the compose file and the unit, as far as they can be checked without an engine: by the tools that read them for real."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from deploy.settings import load_settings
from tests.house.tree import ROOT
from tests.servers.processes import require_program

DEPLOY = ROOT / "deploy"
TOOLS = Path(sys.executable).parent


def _compose(text: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """What compose says of a file."""
    shutil.copytree(DEPLOY / "compose", tmp_path / "compose")
    (tmp_path / "compose.yaml").write_text(text)
    command = [TOOLS / "docker-compose", "-f", tmp_path / "compose.yaml", "config", "-q"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_compose_takes_the_file(tmp_path: Path) -> None:
    """Compose itself finds no unknown key, no missing service and no missing variable."""
    result = _compose((DEPLOY / "compose.yaml").read_text(), tmp_path)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize(
    ("right", "wrong"), [("    restart:", "    restrat:"), ("bucket:\n        condition", "buckett:\n        condition")]
)
def test_compose_refuses_a_wrong_one(right: str, wrong: str, tmp_path: Path) -> None:
    """A misspelt key, or a service that is waited for and not there."""
    text = (DEPLOY / "compose.yaml").read_text().replace("  restart:", "    restart:", 0)
    assert right.strip() in text
    assert _compose(text.replace(right.strip(), wrong.strip()), tmp_path).returncode != 0


def test_the_parts_of_the_compose_file_listen_on_loopback_only() -> None:
    """Host networking means that whatever listens elsewhere is open to the network: each address in it is loopback."""
    text = (DEPLOY / "compose.yaml").read_text()
    assert "0.0.0.0" not in text
    assert set(re.findall(r"\b\d+\.\d+\.\d+\.\d+\b", text)) == {"127.0.0.1"}
    assert load_settings(DEPLOY / "compose" / "keepsight.toml", environment={}).api.host == "127.0.0.1"


def test_the_file_of_the_compose_file_names_secrets_that_are_made() -> None:
    """Every secret the compose file mounts is made by the script beside it."""
    made = (DEPLOY / "compose" / "make-secrets").read_text()
    for name in yaml.safe_load((DEPLOY / "compose.yaml").read_text())["secrets"]:
        assert name in made


def test_the_dockerfile_has_no_findings(tmp_path: Path) -> None:
    """hadolint has nothing to say of the Dockerfile, and something of one that takes any base image."""
    assert _hadolint(DEPLOY / "Dockerfile") == ""
    spoiled = tmp_path / "Dockerfile"
    spoiled.write_text(re.sub(r"FROM python:\S+", "FROM python", (DEPLOY / "Dockerfile").read_text()))
    assert "DL3006" in _hadolint(spoiled)


def _hadolint(path: Path) -> str:
    return subprocess.run([TOOLS / "hadolint", path], capture_output=True, text=True, timeout=60, check=False).stdout


def test_what_the_dockerfile_copies_is_there() -> None:
    """Files named in it are in the checkout, and what it must not take is ignored."""
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    assert [name for names in copied for name in names.split() if not (ROOT / name).exists()] == []
    assert {".git", ".venv"} <= set((ROOT / ".dockerignore").read_text().split())


@pytest.mark.server
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    """systemd itself finds no unknown setting, and calls the unit well shut off."""
    analyze = require_program("systemd-analyze", "systemd")
    unit = tmp_path / "keepsight.service"
    unit.write_text((DEPLOY / "systemd" / "keepsight.service").read_text().replace("/opt/keepsight/bin/keepsight", "/bin/true"))
    verified = subprocess.run([analyze, "verify", unit], capture_output=True, text=True, timeout=60, check=False)
    assert (verified.returncode, verified.stderr) == (0, "")
    command = [analyze, "security", "--offline=true", "--threshold=25", unit]
    assert subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0
    unit.write_text(unit.read_text().replace("NoNewPrivileges", "NoNewPrivilges"))
    assert "NoNewPrivilges" in subprocess.run([analyze, "verify", unit], capture_output=True, text=True, timeout=60, check=False).stderr
