"""k8s/: base and the local overlay."""

from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from services.client.endpoints import DEFAULT_URLS

SERVERS = ("scorer", "executor", "labeler")
OURS = (*SERVERS, "worker")
STORES = ("redis", "postgres")
Manifests = list[dict[str, Any]]
Pods = dict[str, dict[str, Any]]


@pytest.mark.parametrize("name", [*OURS, *STORES])
def test_pod_meets_the_restricted_standard(name: str, deployments: Pods) -> None:
    _assert_restricted(deployments[name])


def test_model_loader_meets_the_restricted_standard(root: Any) -> None:
    _assert_restricted(yaml.safe_load((root / "k8s/overlays/local/model-loader.yaml").read_text())["spec"])


def _assert_restricted(pod: dict[str, Any]) -> None:
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    assert all({"emptyDir", "persistentVolumeClaim"} & set(volume) for volume in pod["volumes"])
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert set(container["resources"]["requests"]) >= {"cpu", "memory"}
    assert set(container["resources"]["limits"]) >= {"cpu", "memory"}


def test_namespace_enforces_the_restricted_standard(manifests: Manifests) -> None:
    (namespace,) = _of("Namespace", manifests)
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


@pytest.mark.parametrize("name", [*OURS, *STORES])
def test_kubernetes_own_service_variables_do_not_pass_for_settings(name: str, deployments: Pods) -> None:
    assert deployments[name]["enableServiceLinks"] is False


@pytest.mark.parametrize("name", SERVERS)
def test_server_is_probed_for_life_and_readiness(name: str, deployments: Pods) -> None:
    (container,) = deployments[name]["containers"]
    paths = {kind: container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness", "readiness")}
    assert paths == {"startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz"}
    assert container["ports"] == [{"name": "http", "containerPort": urlsplit(DEFAULT_URLS[name]).port}]


def test_worker_is_ready_when_it_has_made_its_file(deployments: Pods) -> None:
    (container,) = deployments["worker"]["containers"]
    file = container["args"][container["args"].index("--ready-file") + 1]
    assert container["readinessProbe"]["exec"]["command"] == ["test", "-f", file]


@pytest.mark.parametrize("name", OURS)
def test_pod_has_an_account_and_a_disruption_budget_that_never_blocks_a_node(name: str, manifests: Manifests) -> None:
    budgets = {it["metadata"]["name"]: it["spec"] for it in _of("PodDisruptionBudget", manifests)}
    assert budgets[name]["maxUnavailable"] == 1
    assert name in {it["metadata"]["name"] for it in _of("ServiceAccount", manifests)}


@pytest.mark.parametrize("name", SERVERS)
def test_pod_lives_longer_than_its_drain(name: str, deployments: Pods, settings_map: dict[str, str]) -> None:
    delay_s, drain_s = (float(settings_map[f"LINEWISE_{it}_S"]) for it in ("DRAIN_DELAY", "DRAIN"))
    assert 0 < delay_s < drain_s
    assert deployments[name]["terminationGracePeriodSeconds"] > delay_s + drain_s


def test_selectors_find_the_pods(manifests: Manifests) -> None:
    pods = [it["spec"]["template"]["metadata"]["labels"] for it in _of("Deployment", manifests)]
    for it in (*_of("Service", manifests), *_of("PodDisruptionBudget", manifests), *_of("Deployment", manifests)):
        selector = it["spec"]["selector"]
        selector = selector.get("matchLabels", selector)
        assert sum(selector.items() <= labels.items() for labels in pods) == 1, it["metadata"]["name"]


def test_our_images_have_dockerfiles_and_are_tagged_with_this_version(
    deployments: Pods, dockerfiles: dict[str, Any], pyproject: dict[str, Any], root: Any
) -> None:
    names = {deployments[it]["containers"][0]["image"].split(":")[0] for it in OURS}
    assert names == {"linewise/scorer", "linewise/executor", "linewise/labeler"}
    assert {name.removeprefix("linewise/") for name in names} <= set(dockerfiles)
    images = yaml.safe_load((root / "k8s/base/kustomization.yaml").read_text())["images"]
    assert images == [{"name": name, "newTag": pyproject["project"]["version"]} for name in _in_order(images, names)]


def _in_order(images: list[dict[str, str]], names: set[str]) -> list[str]:
    """`names` as the kustomization lists them; one that it leaves out goes last."""
    listed = [image["name"] for image in images]
    return sorted(names, key=lambda name: listed.index(name) if name in listed else len(listed))


def test_clients_are_sent_to_services_that_exist(manifests: Manifests, client_map: dict[str, str]) -> None:
    ports = {it["metadata"]["name"]: it["spec"]["ports"][0]["port"] for it in _of("Service", manifests)}
    for name in SERVERS:
        url = urlsplit(client_map[f"LINEWISE_{name.upper()}_URL"])
        assert ports[str(url.hostname)] == url.port


def test_secrets_come_by_name_and_none_is_committed(manifests: Manifests, deployments: Pods) -> None:
    assert not _of("Secret", manifests)
    for name, pod in deployments.items():
        references = _secret_keys(pod)
        assert all(reference["name"] == "linewise" for reference in references), name
    assert [it["key"] for it in _secret_keys(deployments["executor"])] == ["LINEWISE_INNER_KEY"]


def test_inner_key_opens_executor_and_scorer_but_not_the_labeler(deployments: Pods) -> None:
    accepted = {name: _variable(deployments[name], "LINEWISE_API_KEYS") for name in SERVERS}
    assert accepted == {
        "executor": "LINEWISE_INNER_KEY",
        "labeler": "LINEWISE_API_KEYS",
        "scorer": "$(OUTER_KEYS),$(INNER_KEY)",
    }
    assert _variable(deployments["scorer"], "OUTER_KEYS") == "LINEWISE_API_KEYS"
    assert _variable(deployments["scorer"], "INNER_KEY") == "LINEWISE_INNER_KEY"
    assert {_variable(deployments[it], "LINEWISE_API_KEY") for it in ("labeler", "worker")} == {"LINEWISE_INNER_KEY"}


def _variable(pod: dict[str, Any], name: str) -> str:
    """The value of a variable, or the key of the Secret that it comes from."""
    (found,) = [it for it in pod["containers"][0]["env"] if it["name"] == name]
    return str(found["value"] if "value" in found else found["valueFrom"]["secretKeyRef"]["key"])


def _secret_keys(pod: dict[str, Any]) -> list[dict[str, str]]:
    variables = pod["containers"][0].get("env", ())
    return [it["valueFrom"]["secretKeyRef"] for it in variables if "valueFrom" in it]


@pytest.mark.parametrize("name", [*OURS, *STORES, "model-loader"])
def test_pod_that_no_policy_names_can_neither_call_nor_be_called(name: str, manifests: Manifests) -> None:
    (deny,) = [it for it in _policies(name, manifests) if it["metadata"]["name"] == "default-deny"]
    assert deny["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


@pytest.mark.parametrize("name", ["executor", "scorer", *STORES])
def test_pod_has_no_way_out(name: str, manifests: Manifests) -> None:
    policies = _policies(name, manifests)
    assert any("Egress" in it["spec"]["policyTypes"] for it in policies)
    assert [it["spec"]["egress"] for it in policies if it["spec"].get("egress")] == []


def test_executor_is_reached_by_its_callers_alone(manifests: Manifests) -> None:
    rules = [rule for it in _policies("executor", manifests) for rule in it["spec"].get("ingress", ())]
    callers = ["labeler", "worker", "trainer"]
    selector = {"matchExpressions": [{"key": "app.kubernetes.io/name", "operator": "In", "values": callers}]}
    assert rules == [{"from": [{"podSelector": selector}], "ports": [{"port": "http"}]}]


def _of(kind: str, manifests: Manifests) -> Manifests:
    return [it for it in manifests if it["kind"] == kind]


def _policies(name: str, manifests: Manifests) -> Manifests:
    """The network policies that apply to the pod of that name."""
    return [it for it in _of("NetworkPolicy", manifests) if _selects(it["spec"]["podSelector"], name)]


def _selects(selector: dict[str, Any], name: str) -> bool:
    labels = {"app.kubernetes.io/name": name}
    return selector.get("matchLabels", {}).items() <= labels.items() and all(
        it["operator"] == "In" and labels.get(it["key"]) in it["values"] for it in selector.get("matchExpressions", ())
    )
