"""The Kubernetes manifests are right as far as can be said without a cluster, and each rule that says so can say no."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import typer.main

from deploy.cli import app
from deploy.safety import KNOWN_TO_ALL
from deploy.settings import load_settings
from tests.deploy.manifests import FOLDER, Manifest, containers, manifests, problems, spoiled
from tests.house.test_docs import commands
from tests.house.tree import ROOT

Change = Callable[[Manifest], object]


def _container(item: Manifest) -> Manifest:
    return next(containers(item))[1]


def _worker(item: Manifest) -> Manifest:
    return item["spec"]["workerGroupSpecs"][0]["template"]["spec"]["containers"][0]


def test_nothing_is_wrong_with_the_manifests() -> None:
    """Kinds, fields, labels, limits, ports and references: no problem is found."""
    assert list(problems(manifests())) == []


@pytest.mark.parametrize(
    ("kind", "name", "change", "said"),
    [
        ("Deployment", "keepsight-api", lambda item: item["spec"].update(replica=3), "replica"),
        ("Deployment", "keepsight-api", lambda item: item.update(apiVersion="apps/v1beta1"), "no schema"),
        ("Deployment", "keepsight-api", lambda item: item["spec"]["selector"]["matchLabels"].update({"a": "b"}), "its own pods"),
        ("Deployment", "keepsight-api", lambda item: _container(item)["securityContext"].pop("readOnlyRootFilesystem"), "its image"),
        ("Deployment", "keepsight-api", lambda item: _container(item)["securityContext"].update(runAsUser=0), "as root"),
        ("Deployment", "keepsight-api", lambda item: _container(item)["resources"]["requests"].update(memory="3Gi"), "its limit"),
        ("Deployment", "keepsight-api", lambda item: _container(item)["resources"].pop("limits"), "what it needs"),
        ("Deployment", "keepsight-api", lambda item: _container(item)["ports"][0].update(name="web"), "not named"),
        ("Deployment", "keepsight-api", lambda item: _container(item)["ports"][0].update(containerPort=99999), "99999"),
        ("Deployment", "keepsight-api", lambda item: item["spec"]["template"]["spec"]["volumes"].pop(), "not there"),
        ("RayCluster", "keepsight", lambda item: item["spec"].update(authOption={}), "authOption"),
        ("RayCluster", "keepsight", lambda item: item["spec"]["authOptions"].update(mode="none"), "none"),
        ("RayCluster", "keepsight", lambda item: _worker(item).update(imagePullPolice="Always"), "imagePullPolice"),
        ("RayCluster", "keepsight", lambda item: _worker(item)["securityContext"].update(capabilities={}), "capabilities"),
        ("RayCluster", "keepsight", lambda item: _worker(item).pop("livenessProbe"), "no probes of its own"),
        ("RayCluster", "keepsight", lambda item: _worker(item)["readinessProbe"]["tcpSocket"].update(port="web"), "not named"),
        ("Service", "keepsight-api", lambda item: item["spec"]["selector"].update({"a": "b"}), "no pod"),
        ("PodDisruptionBudget", "keepsight-api", lambda item: item["spec"]["selector"]["matchLabels"].update({"a": "b"}), "no pod"),
        ("NetworkPolicy", "ray-to-redis", lambda item: item["spec"]["podSelector"]["matchLabels"].update({"a": "b"}), "no pod"),
        ("Secret", "keepsight-redis", lambda item: item["stringData"].clear(), "no password"),
        ("ConfigMap", "keepsight-config", lambda item: item["metadata"].update(name="other"), "no ConfigMap"),
    ],
)
def test_each_kind_of_mistake_is_found(kind: str, name: str, change: Change, said: str) -> None:
    """A manifest that is wrong in one place is named, with the place."""
    assert any(name in problem and said in problem for problem in problems(spoiled(kind, name, change)))


def test_the_configuration_loads() -> None:
    """keepsight.toml of the manifests is a configuration, for the Ray fleet, with nothing but files for secrets."""
    settings = load_settings(FOLDER / "keepsight.toml", environment={})
    assert (settings.fleet.kind, settings.index.kind, settings.requires_sync) == ("ray", "cassandra", True)


def test_every_file_the_configuration_names_is_mounted() -> None:
    """A path below a mounted secret is one of the secret's keys."""
    keys = {item["metadata"]["name"]: set(item["stringData"]) for item in manifests() if item["kind"] == "Secret"}
    folders = {"/var/run/keepsight": "keepsight", "/var/run/keepsight-tls": "keepsight-tls"}
    named = re.findall(r'"(/var/run/[^"]+)"', (FOLDER / "keepsight.toml").read_text())
    assert named
    assert [path for path in named if Path(path).name not in keys[folders[str(Path(path).parent)]]] == []


def test_every_command_in_them_exists() -> None:
    """What hooks and containers run are commands of `keepsight`, as it is now."""
    known = {path for path, _ in commands(typer.main.get_command(app))}
    called = []
    for item in manifests():
        for _, container in containers(item):
            words = [" ".join(["keepsight", *container["args"]])] if "args" in container else []
            hooks = [hook["exec"]["command"][-1] for hook in container.get("lifecycle", {}).values()]
            called += [*words, *(call for hook in hooks for call in re.findall(r"keepsight [a-z]+(?: [a-z]+)?", hook))]
    assert called
    assert [call for call in called if call not in known] == []


def test_probes_ask_paths_that_there_are() -> None:
    """The paths probes ask for are routes every program has (deploy/monitored.py; what they answer: tests/unit/test_monitored.py)."""
    probes = [probe for item in manifests() for _, one in containers(item) for name, probe in one.items() if name.endswith("Probe")]
    asked = {probe["httpGet"]["path"] for probe in probes if "httpGet" in probe}
    assert asked
    assert asked <= set(re.findall(r'Route\("([^"]+)"', (ROOT / "deploy" / "monitored.py").read_text()))


def test_the_placeholders_of_the_secrets_would_be_refused() -> None:
    """An example that is applied unchanged does not start: each placeholder is one of the words no secret may be."""
    for item in manifests():
        if item["kind"] == "Secret":
            assert set(item["stringData"].values()) <= set(KNOWN_TO_ALL)
