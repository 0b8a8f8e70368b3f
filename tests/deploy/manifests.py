"""The Kubernetes manifests as the checks see them: loaded, checked against the schemas of their kinds, and against each other.

Schemas (the API server's of the core kinds, the RayCluster's of KubeRay) see names and types of fields; what they cannot see (labels
against selectors, requests against limits, references) an API server or an operator would refuse or ignore, so it is looked at here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import yaml

from tests.house.tree import ROOT

FOLDER = ROOT / "deploy" / "kubernetes"
KUBERNETES = "1.33"
Manifest = dict[str, Any]


def manifests(folder: Path = FOLDER) -> list[Manifest]:
    """What `kubectl apply -k` would send, and the example of the secrets."""
    resources = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
    found = [item for name in [*resources, "secrets.example.yaml"] for item in yaml.safe_load_all((folder / name).read_text())]
    generated = yaml.safe_load((folder / "kustomization.yaml").read_text())["configMapGenerator"]
    for one in generated:
        data = {name: (folder / name).read_text() for name in one["files"]}
        found.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": one["name"]}, "data": data})
    return found


def problems(items: list[Manifest]) -> Iterator[str]:
    """Everything that is wrong, a sentence each."""
    for item in items:
        yield from (f"{_name(item)}: {what}" for what in [*_schema(item), *_pods(item), *_selectors(item)])
    yield from _references(items)


# --- schemas ---


@cache
def _ray_cluster() -> dict[str, Any]:
    """KubeRay's own schema of a RayCluster (v1), closed: a field it does not name is an error, as a misspelt one would be ignored."""
    return _closed(json.loads((Path(__file__).parent / "raycluster_v1.schema.json").read_text()))


def _closed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(part) for name, part in schema.items()}
    if isinstance(closed.get("properties"), dict) and "additionalProperties" not in closed and closed.get("type") == "object":
        open_ = closed.get("x-kubernetes-preserve-unknown-fields") or set(closed["properties"]) == {"apiVersion", "kind", "metadata"}
        closed["additionalProperties"] = bool(open_)
    if closed.get("x-kubernetes-int-or-string"):
        closed = {"anyOf": [{"type": "integer"}, {"type": "string"}]}
    return closed


def _schema(item: Manifest) -> tuple[str, ...]:
    return _schema_of_text(json.dumps(item))


@cache
def _schema_of_text(text: str) -> tuple[str, ...]:
    """Checking takes long, and in most tests only one manifest differs."""
    return tuple(_schema_problems(json.loads(text)))


def _schema_problems(item: Manifest) -> Iterator[str]:
    if item["kind"] == "RayCluster":
        for error in jsonschema.Draft7Validator(_ray_cluster()).iter_errors(item):
            yield f"{'/'.join(map(str, error.absolute_path))}: {error.message[:200]}"
        return
    try:
        kubernetes_validate.validate(item, KUBERNETES, strict=True)
    except kubernetes_validate.ValidationError as error:
        yield f"{'/'.join(map(str, error.path))}: {error.message[:200]}"
    except (kubernetes_validate.InvalidSchemaError, kubernetes_validate.SchemaNotFoundError) as error:
        yield f"no schema for this kind: {error}"


# --- what schemas cannot see ---


def pod_specs(item: Manifest) -> Iterator[tuple[Manifest, Manifest]]:
    """Metadata and spec of each pod a manifest makes."""
    spec = item.get("spec", {})
    if item["kind"] == "RayCluster":
        for group in [spec["headGroupSpec"], *spec["workerGroupSpecs"]]:
            yield group["template"].get("metadata", {}), group["template"]["spec"]
    elif isinstance(spec.get("template"), dict):
        yield spec["template"].get("metadata", {}), spec["template"]["spec"]


def containers(item: Manifest) -> Iterator[tuple[Manifest, Manifest]]:
    """Each container with the spec of its pod."""
    for _, pod in pod_specs(item):
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            yield pod, container


def _pods(item: Manifest) -> Iterator[str]:
    for pod, container in containers(item):
        name = container["name"]
        rights = {**pod.get("securityContext", {}), **container.get("securityContext", {})}
        if not rights.get("runAsNonRoot") or rights.get("runAsUser", 0) == 0:
            yield f"{name} may run as root"
        if not rights.get("readOnlyRootFilesystem"):
            yield f"{name} can write to its image"
        if rights.get("allowPrivilegeEscalation", True) or rights.get("capabilities", {}).get("drop") != ["ALL"]:
            yield f"{name} keeps capabilities"
        if rights.get("seccompProfile", {}).get("type") != "RuntimeDefault":
            yield f"{name} runs without a filter of system calls"
        yield from _resources(name, container.get("resources", {}))
        yield from _ports(name, container)
        if item["kind"] == "RayCluster" and not {"readinessProbe", "livenessProbe"} <= container.keys():
            yield f"{name} has no probes of its own: KubeRay's ask Ray's dashboard by wget, and the image has neither"
        mounted = {mount["name"] for mount in container.get("volumeMounts", [])}
        claimed = {claim["metadata"]["name"] for claim in item["spec"].get("volumeClaimTemplates", [])}
        missing = mounted - {volume["name"] for volume in pod.get("volumes", [])} - claimed
        if missing:
            yield f"{name} mounts volumes that are not there: {sorted(missing)}"
        if pod.get("automountServiceAccountToken") is not False:
            yield f"{name} holds a token of the cluster it does not need"


def _resources(name: str, resources: Manifest) -> Iterator[str]:
    requests, limits = resources.get("requests", {}), resources.get("limits", {})
    if not {"cpu", "memory"} <= set(requests) or "memory" not in limits:
        yield f"{name} does not say what it needs"
    for what in set(requests) & set(limits):
        if quantity(requests[what]) > quantity(limits[what]):
            yield f"{name} asks for more {what} than its limit"


def _ports(name: str, container: Manifest) -> Iterator[str]:
    named = {port.get("name"): port["containerPort"] for port in container.get("ports", [])}
    for port in named.values():
        if not 0 < port < 65536:
            yield f"{name} has a port {port}"
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        for action in ("httpGet", "tcpSocket"):
            port = container.get(probe, {}).get(action, {}).get("port")
            if isinstance(port, str) and port not in named:
                yield f"{name}: the {probe} asks a port {port} that is not named"


def quantity(text: str) -> float:
    """A quantity of Kubernetes as a number."""
    found = re.fullmatch(r"([0-9.]+)(m|[kMGT]i?)?", str(text))
    assert found is not None, text
    factor = {"m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, None: 1}
    return float(found[1]) * factor[found[2]]


def _selectors(item: Manifest) -> Iterator[str]:
    selector = item.get("spec", {}).get("selector", {})
    if item["kind"] in ("Deployment", "StatefulSet"):
        (labels, _) = next(pod_specs(item))
        if not _matches(selector["matchLabels"], labels.get("labels", {})):
            yield "its selector does not match its own pods"


def _references(items: list[Manifest]) -> Iterator[str]:
    """Selectors of services, policies and budgets that match no pod; volumes and variables from what is not there; ports nobody has."""
    pods = [(labels.get("labels", {}), pod) for item in items for labels, pod in pod_specs(item)]
    there = {(item["kind"], item["metadata"]["name"]) for item in items}
    keys = {
        (item["kind"], item["metadata"]["name"]): set(item.get("data") or item.get("stringData") or {})
        for item in items
        if item["kind"] in ("ConfigMap", "Secret")
    }
    for item in items:
        for selector in _pod_selectors(item):
            chosen = [pod for labels, pod in pods if _matches_selector(selector, labels)]
            if selector and not chosen:
                yield f"{_name(item)}: {selector} chooses no pod"
            if item["kind"] == "Service":
                names = {port.get("name") for pod in chosen for container in pod["containers"] for port in container.get("ports", [])}
                yield from (
                    f"{_name(item)}: no pod has a port {port['targetPort']}"
                    for port in item["spec"]["ports"]
                    if port["targetPort"] not in names
                )
    for item in items:
        for ref in _secret_keys(item):
            if ref["key"] not in keys.get(("Secret", ref["name"]), set()):
                yield f"{_name(item)}: there is no {ref['key']} in a secret {ref['name']}"
        for pod, _ in containers(item):
            for volume in pod.get("volumes", []):
                wanted = (
                    ("ConfigMap", volume["configMap"]["name"])
                    if "configMap" in volume
                    else ("Secret", volume.get("secret", {}).get("secretName"))
                )
                if wanted[1] and wanted not in there:
                    yield f"{_name(item)}: there is no {wanted[0]} {wanted[1]}"


def _secret_keys(value: Any) -> Iterator[Manifest]:
    """Every reference to a key of a secret, wherever it stands."""
    if isinstance(value, dict):
        yield from ([value["secretKeyRef"]] if "secretKeyRef" in value else [])
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else []:
        yield from _secret_keys(part)


def _pod_selectors(item: Manifest) -> Iterator[Manifest]:
    spec = item.get("spec", {})
    if item["kind"] == "Service":
        yield {"matchLabels": spec["selector"]}
    elif item["kind"] == "PodDisruptionBudget":
        yield spec["selector"]
    elif item["kind"] == "NetworkPolicy":
        yield spec["podSelector"]
        for rule in [*spec.get("ingress", []), *spec.get("egress", [])]:
            for peer in [*rule.get("from", []), *rule.get("to", [])]:
                if "podSelector" in peer and "namespaceSelector" not in peer:
                    yield peer["podSelector"]


def _matches_selector(selector: Manifest, labels: Manifest) -> bool:
    terms = selector.get("matchExpressions", [])
    assert all(term["operator"] == "In" for term in terms), "only In is used"
    return _matches(selector.get("matchLabels", {}), labels) and all(labels.get(term["key"]) in term["values"] for term in terms)


def _matches(wanted: Manifest, labels: Manifest) -> bool:
    return all(labels.get(name) == value for name, value in wanted.items())


def _name(item: Manifest) -> str:
    return f"{item['kind']} {item['metadata']['name']}"


def spoiled(kind: str, name: str, change: Any) -> list[Manifest]:
    """The manifests with one of them changed."""
    items = deepcopy(manifests())
    (item,) = [item for item in items if (item["kind"], item["metadata"]["name"]) == (kind, name)]
    change(item)
    return items
