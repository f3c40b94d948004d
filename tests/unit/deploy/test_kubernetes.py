"""k8s/: the local overlay with its base and components; `make manifests` looks at all overlays."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from services.client.endpoints import DEFAULT_URLS

SERVERS = ("scorer", "executor", "labeler")
OURS = (*SERVERS, "worker")
STORES = ("redis", "postgres")
JOBS = ("migrate", "trainer")
Manifests = list[dict[str, Any]]
Pods = dict[str, dict[str, Any]]


@pytest.mark.parametrize("name", [*OURS, *STORES, *JOBS])
def test_pod_meets_the_restricted_standard(name: str, pods: Pods) -> None:
    _assert_restricted(pods[name])


def test_model_loader_meets_the_restricted_standard(root: Any) -> None:
    _assert_restricted(yaml.safe_load((root / "k8s/overlays/local/model-loader.yaml").read_text())["spec"])


def _assert_restricted(pod: dict[str, Any]) -> None:
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    assert all({"emptyDir", "persistentVolumeClaim", "secret"} & set(volume) for volume in pod["volumes"])
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


@pytest.mark.parametrize("name", [*OURS, *STORES, *JOBS])
def test_kubernetes_own_service_variables_do_not_pass_for_settings(name: str, pods: Pods) -> None:
    assert pods[name]["enableServiceLinks"] is False


@pytest.mark.parametrize("name", [*OURS, *STORES, *JOBS])
def test_pod_is_of_a_priority_that_exists(name: str, pods: Pods, manifests: Manifests) -> None:
    known = {it["metadata"]["name"]: it["value"] for it in _of("PriorityClass", manifests)}
    assert known[pods[name]["priorityClassName"]] > 0
    assert known["linewise-serving"] > known["linewise-batch"]


@pytest.mark.parametrize("name", OURS)
def test_pods_of_a_kind_are_spread_over_nodes_and_zones(name: str, deployments: Pods) -> None:
    spread = deployments[name]["topologySpreadConstraints"]
    assert {it["topologyKey"] for it in spread} == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}
    assert all(it["labelSelector"]["matchLabels"] == {"app.kubernetes.io/name": name} for it in spread)


@pytest.mark.parametrize("name", SERVERS)
def test_server_is_probed_for_life_and_readiness(name: str, deployments: Pods) -> None:
    (container,) = deployments[name]["containers"]
    paths = {kind: container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness", "readiness")}
    assert paths == {"startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz"}
    assert container["ports"] == [{"name": "http", "containerPort": urlsplit(DEFAULT_URLS[name]).port}]


def test_worker_is_ready_when_it_has_made_its_file_and_alive_while_it_touches_another(deployments: Pods) -> None:
    (container,) = deployments["worker"]["containers"]
    ready, heartbeat = (container["args"][container["args"].index(f"--{it}-file") + 1] for it in ("ready", "heartbeat"))
    assert container["readinessProbe"]["exec"]["command"] == ["test", "-f", ready]
    assert container["livenessProbe"]["exec"]["command"] == ["sh", "-c", f'test -n "$(find {heartbeat} -mmin -2)"']
    assert container["startupProbe"]["exec"] == container["livenessProbe"]["exec"]


def test_worker_in_compose_is_healthy_when_a_pod_would_be_ready_and_alive(
    deployments: Pods, compose: dict[str, Any]
) -> None:
    (container,) = deployments["worker"]["containers"]
    ready, alive = (container[f"{it}Probe"]["exec"]["command"] for it in ("readiness", "liveness"))
    kind, healthy = compose["services"]["worker"]["healthcheck"]["test"]
    assert (kind, healthy.replace("$$", "$")) == ("CMD-SHELL", f"{' '.join(ready)} && {alive[-1]}")


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
    pods: Pods, dockerfiles: dict[str, Any], pyproject: dict[str, Any], root: Any
) -> None:
    names = {pods[it]["containers"][0]["image"].split(":")[0] for it in (*OURS, *JOBS)}
    assert names == {f"linewise/{name}" for name in dockerfiles}
    for folder, tagged in (("base", names - {"linewise/trainer"}), ("components/training", {"linewise/trainer"})):
        images = yaml.safe_load((root / f"k8s/{folder}/kustomization.yaml").read_text())["images"]
        assert {image["name"] for image in images} == tagged
        assert {image["newTag"] for image in images} == {pyproject["project"]["version"]}


def test_clients_are_sent_to_services_that_exist(manifests: Manifests, client_map: dict[str, str]) -> None:
    ports = {it["metadata"]["name"]: it["spec"]["ports"][0]["port"] for it in _of("Service", manifests)}
    for name in SERVERS:
        url = urlsplit(client_map[f"LINEWISE_{name.upper()}_URL"])
        assert ports[str(url.hostname)] == url.port


def test_secrets_come_by_name_as_files_and_none_is_committed(manifests: Manifests, pods: Pods) -> None:
    assert not _of("Secret", manifests)
    for name, pod in pods.items():
        (container,) = pod["containers"]
        assert not any("valueFrom" in it for it in container.get("env", ())), name
        mounted = {it["key"] for volume in pod["volumes"] for it in volume.get("secret", {}).get("items", ())}
        assert {Path(it).name for it in _secret_files(pod).values()} == mounted, name
        assert all(volume["secret"]["secretName"] == "linewise" for volume in pod["volumes"] if "secret" in volume)
        assert pod["securityContext"]["fsGroup"] == pod["securityContext"]["runAsGroup"] or not mounted, name


def test_inner_key_opens_the_executor_and_nothing_else(pods: Pods) -> None:
    accepted = {name: _secret_files(pods[name])["LINEWISE_API_KEYS_FILE"] for name in SERVERS}
    inner, people = "/run/secrets/linewise/inner_key", "/run/secrets/linewise/api_keys"
    assert accepted == {"executor": inner, "labeler": people, "scorer": people}
    assert {_secret_files(pods[it])["LINEWISE_API_KEY_FILE"] for it in ("labeler", "worker")} == {inner}
    assert _secret_files(pods["trainer"])["LINEWISE_API_KEY_FILE"] == people
    assert _secret_files(pods["trainer"])["LINEWISE_EXECUTOR_API_KEY_FILE"] == inner
    assert len(_secret_files(pods["executor"])) == 1


def _secret_files(pod: dict[str, Any]) -> dict[str, str]:
    """The variables that name a secret's file."""
    variables = {it["name"]: it.get("value", "") for it in pod["containers"][0].get("env", ())}
    return {name: value for name, value in variables.items() if value.startswith("/run/secrets/")}


def test_what_compose_and_a_cluster_call_their_secrets_is_the_same(compose: dict[str, Any], pods: Pods) -> None:
    named = {Path(path).name for pod in pods.values() for path in _secret_files(pod).values()}
    assert named == set(compose["secrets"]) - {"grafana_password"}


def test_migrations_are_a_job_and_nobody_else_migrates(manifests: Manifests, pods: Pods) -> None:
    assert pods["migrate"]["containers"][0]["args"] == ["linewise", "migrate"]
    for name in ("labeler", "worker"):
        variables = {it["name"]: it["value"] for it in pods[name]["containers"][0]["env"]}
        assert variables["LINEWISE_LABELER_MIGRATE_AT_START"] == "0"


def test_trainer_is_a_suspended_job_that_keeps_what_it_did_and_writes_where_the_scorer_reads(
    manifests: Manifests, pods: Pods
) -> None:
    (job,) = [it for it in _of("Job", manifests) if it["metadata"]["name"] == "trainer"]
    assert job["spec"]["suspend"] is True
    claims = {it["name"]: it["persistentVolumeClaim"]["claimName"] for it in _claims(pods["trainer"])}
    assert claims == {"runs": "linewise-runs", "models": "linewise-models"}
    assert {it["persistentVolumeClaim"]["claimName"] for it in _claims(pods["scorer"])} == {"linewise-models"}
    assert set(claims.values()) <= {it["metadata"]["name"] for it in _of("PersistentVolumeClaim", manifests)}


def _claims(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [volume for volume in pod["volumes"] if "persistentVolumeClaim" in volume]


@pytest.mark.parametrize("name", [*OURS, *STORES, *JOBS, "model-loader"])
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
