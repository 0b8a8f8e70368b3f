"""Prometheus and Alertmanager on loopback, for one test: quick rounds, no cluster, everything in one folder."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

import yaml

from tests.servers.processes import Program, free_port, require_program

QUICK = "1s"


def alertmanager(folder: Path, webhook: str) -> tuple[Program, str]:
    """An Alertmanager that tells this address of everything at once; the program and its address."""
    command, port = require_program("prometheus-alertmanager", "prometheus-alertmanager"), free_port()
    config = folder / "alertmanager.yml"
    route = {"receiver": "test", "group_by": ["alertname"], "group_wait": "0s", "group_interval": QUICK}
    config.write_text(yaml.safe_dump({"route": route, "receivers": [{"name": "test", "webhook_configs": [{"url": webhook}]}]}))
    arguments = [f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=", f"--storage.path={folder / 'alertmanager'}"]
    return _started([command, f"--config.file={config}", *arguments], port)


def prometheus(folder: Path, *, target: str, key_file: Path, rules: Path, alertmanager: str) -> tuple[Program, str]:
    """A Prometheus that reads one target each second with the key of this file; the program and its address."""
    command, port = require_program("prometheus", "prometheus"), free_port()
    labels = {"site": "home", "node": "anna"}
    scrape = {
        "job_name": "keepsight-node",
        "authorization": {"credentials_file": str(key_file)},
        "static_configs": [{"targets": [target], "labels": labels}],
    }
    config = {
        "global": {"scrape_interval": QUICK, "evaluation_interval": QUICK},
        "rule_files": [str(rules)],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
        "scrape_configs": [scrape],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    arguments = [f"--web.listen-address=127.0.0.1:{port}", f"--storage.tsdb.path={folder / 'tsdb'}", "--log.level=warn"]
    return _started([command, f"--config.file={folder / 'prometheus.yml'}", *arguments], port)


def _started(command: list[str], port: int) -> tuple[Program, str]:
    program = Program(command)
    address = f"127.0.0.1:{port}"

    def ready() -> bool:
        try:
            with urllib.request.urlopen(f"http://{address}/-/ready", timeout=1) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    try:
        program.wait_for(ready)
    except RuntimeError:
        program.kill()
        raise
    return program, address
