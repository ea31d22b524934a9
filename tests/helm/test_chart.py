"""What the chart makes of six value sets is what was read before, is accepted by Kubernetes' schemas, and keeps its promises."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from devstack.deploy_files import CHART, DEPLOY
from helm.chart import FOLDER, KUBERNETES, SETS, documents, helm, of_kind, pods, rendered, template, tool
from helm.schemas import schemas

pytestmark = pytest.mark.slow
SERVICES = ("ingress", "flow-engine", "dispatcher", "registry")
KEYS = {
    "ingress": {"admin_token_digest", "kek", "link_key", "kafka_ingress"},
    "flow-engine": {"admin_token_digest", "link_key", "kafka_flow_engine", "database_flow_engine"},
    "dispatcher": {"admin_token_digest", "kek", "kafka_dispatcher", "database_dispatcher"},
    "registry": {"admin_token_digest", "kek", "link_key", "kafka_registry", "database_registry"},
}
"""What of the Secrets each service gets."""


@pytest.fixture(scope="module")
def schema_folder() -> Path:
    return schemas()


def validated(folder: Path, *files: Path) -> subprocess.CompletedProcess[str]:
    command = [tool("kubectl-validate") or "", *map(str, files), "--local-crds", str(folder), "--version", KUBERNETES]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("values", SETS)
def test_lint_has_nothing_to_say(values: str) -> None:
    file = FOLDER / "values" / f"{values}.yaml"
    told = helm("lint", "--strict", str(DEPLOY / CHART), "--values", str(file), "--kube-version", f"{KUBERNETES}.0")
    assert told.returncode == 0, told.stdout + told.stderr


@pytest.mark.parametrize("values", SETS)
def test_what_is_made_is_what_was_read_before(values: str) -> None:
    golden = FOLDER / "golden" / f"{values}.yaml"
    assert rendered(values) == golden.read_text(), "read the difference, then run helm.chart and commit it"


def test_the_schemas_accept_all_of_it(schema_folder: Path) -> None:
    told = validated(schema_folder, FOLDER / "golden")
    assert told.returncode == 0, told.stdout + told.stderr
    assert told.stdout.count("OK") == len(SETS)


@pytest.mark.parametrize(
    ("values", "right", "wrong"),
    [
        ("minimal", "serviceName:", "serviceNames:"),
        ("operators", "scram-sha-512", "scram-sha-1"),
        ("operators", "kraftMetadata:", "kraftMetadatas:"),
        ("operators", "instances: 3", "instances: three"),
        ("keda", "maxReplicaCount:", "maxReplicaCounts:"),
        ("everything", "parentRefs:", "parentRef:"),
        ("everything", "sourceLabels:", "sourceLabel:"),
    ],
)
def test_the_schemas_refuse_a_typo(schema_folder: Path, tmp_path: Path, values: str, right: str, wrong: str) -> None:
    text = rendered(values)
    assert right in text
    (tmp_path / "typo.yaml").write_text(text.replace(right, wrong))
    assert validated(schema_folder, tmp_path / "typo.yaml").returncode != 0


@pytest.mark.parametrize("values", SETS)
def test_pods_are_restricted(values: str) -> None:
    for name, pod in pods(documents(rendered(values))):
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is False, name
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
        assert {next(iter(volume.keys() - {"name"})) for volume in spec["volumes"]} <= {
            "emptyDir",
            "projected",
            "secret",
        }
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert {"name": "tmp", "mountPath": "/tmp"} in container["volumeMounts"]
            assert container["resources"]["limits"]["memory"]


def test_each_service_gets_its_own_secrets_as_files() -> None:
    for name, pod in pods(documents(rendered("minimal"))):
        sources = next(each for each in pod["spec"]["volumes"] if each["name"] == "secrets")["projected"]["sources"]
        keys = {item["key"] for source in sources for item in source["secret"]["items"]}
        if name in KEYS:
            assert keys == KEYS[name]
        assert not [env for env in pod["spec"]["containers"][0]["env"] if "secretKeyRef" in env.get("valueFrom", {})]


@pytest.mark.parametrize("values", SETS)
def test_services_keep_their_names_and_end_in_time(values: str) -> None:
    found = of_kind(documents(rendered(values)), "StatefulSet")
    assert set(found) == set(SERVICES)
    for name, each in found.items():
        spec = each["spec"]["template"]["spec"]
        env = {one["name"]: one for one in spec["containers"][0]["env"]}
        assert env["SWITCHHOOK_INSTANCE"]["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}
        drain = int(env["SWITCHHOOK_DRAIN_SECONDS"]["value"])
        settles = spec["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert spec["terminationGracePeriodSeconds"] > drain + settles
        assert each["spec"]["serviceName"] == f"switchhook-{name}-replicas"
        for probe, path in (("startup", "live"), ("liveness", "live"), ("readiness", "ready")):
            assert spec["containers"][0][f"{probe}Probe"]["httpGet"]["path"] == f"/health/{path}"
        assert {each["topologyKey"] for each in spec["topologySpreadConstraints"]} == {
            "topology.kubernetes.io/zone",
            "kubernetes.io/hostname",
        }


def test_each_replica_is_seen_by_its_address_ready_or_not() -> None:
    services = of_kind(documents(rendered("minimal")), "Service")
    for name in SERVICES:
        assert services[f"{name}-replicas"]["spec"]["clusterIP"] == "None"
        assert services[f"{name}-replicas"]["spec"]["publishNotReadyAddresses"] is True


@pytest.mark.parametrize(
    ("values", "arguments", "hook"),
    [("minimal", (), True), ("operators", (), False), ("operators", ("--is-upgrade",), True)],
)
def test_setup_runs_first_unless_its_servers_are_made_beside_it(
    values: str, arguments: tuple[str, ...], hook: bool
) -> None:
    (job,) = of_kind(documents(rendered(values, *arguments)), "Job").values()
    said = job["metadata"].get("annotations", {}).get("helm.sh/hook")
    assert said == ("pre-install,pre-upgrade" if hook else None)


def test_strimzi_users_may_what_contracts_grant_and_setup_makes_no_lists() -> None:
    found = documents(rendered("everything"))
    users = of_kind(found, "KafkaUser")
    assert set(users) == {*SERVICES, "operator"}
    names = {
        acl["resource"].get("name", "blue.") for user in users.values() for acl in user["spec"]["authorization"]["acls"]
    }
    assert all(name.startswith("blue.") for name in names)
    (job,) = of_kind(found, "Job").values()
    assert {"name": "SWITCHHOOK_ACLS", "value": "false"} in job["spec"]["template"]["spec"]["containers"][0]["env"]


@pytest.mark.parametrize(("values", "users"), [("minimal", "switchhook-{}"), ("hpa", "bots-{}")])
def test_setup_makes_lists_for_the_users_that_services_log_in_as(values: str, users: str) -> None:
    found = documents(rendered(values))
    pod = of_kind(found, "Job")["setup"]["spec"]["template"]["spec"]
    assert {"name": "SWITCHHOOK_PRINCIPALS", "value": users} in pod["containers"][0]["env"]
    for name, each in of_kind(found, "StatefulSet").items():
        env = each["spec"]["template"]["spec"]["containers"][0]["env"]
        assert {"name": "SWITCHHOOK_KAFKA_USER", "value": users.replace("{}", name)} in env


def test_what_holds_data_outlives_the_release() -> None:
    kept = [
        each["kind"]
        for each in documents(rendered("operators"))
        if each["metadata"].get("annotations", {}).get("helm.sh/resource-policy") == "keep"
    ]
    assert sorted(kept) == ["Cluster", "Kafka", "KafkaNodePool"]


def scaled(found: list[dict[str, Any]], kind: str, most: str) -> dict[str, int]:
    return {name: each["spec"][most] for name, each in of_kind(found, kind).items()}


def test_pods_are_as_many_as_lag_or_cpu_ask_for() -> None:
    keda, hpa = documents(rendered("keda")), documents(rendered("hpa"))
    assert scaled(keda, "ScaledObject", "maxReplicaCount") == {
        "ingress": 6, "flow-engine": 24, "dispatcher": 12, "registry": 3,
    }  # fmt: skip
    assert scaled(hpa, "HorizontalPodAutoscaler", "maxReplicas") == {
        "ingress": 6, "flow-engine": 12, "dispatcher": 12, "registry": 3,
    }  # fmt: skip
    for found in (keda, hpa):
        assert not [each for each in of_kind(found, "StatefulSet").values() if "replicas" in each["spec"]]
    triggers = of_kind(keda, "ScaledObject")["dispatcher"]["spec"]["triggers"]
    assert [each["metadata"]["consumerGroup"] for each in triggers] == ["dispatcher-actions", "dispatcher-events"]


@pytest.mark.parametrize(
    ("values", "wrong", "said"),
    [
        ("", "", "images.prefix has to say where the images are"),
        ("minimal", "images.prefix=", "images.prefix has to say where the images are"),
        ("minimal", "existingSecret=", "existingSecret has to name a Secret"),
        ("minimal", "kafka.existingSecret=", "kafka.existingSecret has to name a Secret"),
        ("minimal", "postgres.existingSecret=", "postgres.existingSecret has to name a Secret"),
        ("minimal", "settings.publicUrl=", "settings.publicUrl has to say"),
        ("minimal", "networkPolicies.kafka=null", "networkPolicies.kafka has to say which peers"),
        ("minimal", "gateway.kind=httpRoute", "gateway.httpRoute.parentRefs has to name the Gateway"),
        ("minimal", "gateway.kind=ingress", "gateway.ingress.className has to name"),
        ("minimal", "observability.serviceMonitor=true", "networkPolicies.prometheus has to say"),
        ("minimal", "registry.replicas=4", "switchhook.findings.v1 has 3 partitions"),
        ("keda", "dispatcher.autoscaling.max=25", "switchhook.actions.v1 has 24 partitions"),
        ("operators", "kafka.strimzi.brokers=1", "kafka.topicReplicas is larger than kafka.strimzi.brokers"),
        ("minimal", "dispatcher.replica=3", "replica"),
        ("minimal", "dispatcher.settings.SWITCHHOOK_MAX_IN_FLIHGT=3", "SWITCHHOOK_MAX_IN_FLIHGT"),
        ("minimal", "kafka.external.securityProtocol=PLAINTEXT", "SASL_SSL"),
    ],
)
def test_what_does_not_go_together_is_refused_with_a_sentence(values: str, wrong: str, said: str) -> None:
    told = template(*(("--set", wrong) if wrong else ()), values=values)
    assert told.returncode != 0
    assert said in told.stderr


def test_a_second_release_has_names_of_its_own() -> None:
    file = FOLDER / "values" / "everything.yaml"
    told = helm("template", "blue", str(DEPLOY / CHART), "--values", str(file), "--kube-version", f"{KUBERNETES}.0")
    names = {each["metadata"]["name"] for each in documents(told.stdout)}
    assert names
    assert all(name.startswith("blue-switchhook-") for name in names)
