"""What profile `observability` of deploy/compose starts: who may reach it, what it watches, and who says so."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ruamel.yaml import YAML

from devstack.deploy_files import DEPLOY
from devstack.tenant_dashboard import statements
from operations.dashboards import READ, ROLE
from operations.services import MODULES, OWNERS
from support.panels import dashboards

yaml = YAML(typ="safe", pure=True)
COMPOSE: dict[str, Any] = yaml.load((DEPLOY / "compose" / "compose.yaml").read_text())
PROFILE = {name: each for name, each in COMPOSE["services"].items() if each.get("profiles") == ["observability"]}
OBSERVABILITY = DEPLOY / "observability"


def test_the_profile_is_a_collector_prometheus_tempo_and_grafana() -> None:
    assert PROFILE.keys() == {"collector", "prometheus", "tempo", "grafana", "setup-dashboards"}
    for name, service in PROFILE.items():
        assert (service["cap_drop"], service["read_only"]) == (["ALL"], True), name
        if name != "setup-dashboards":
            assert re.search(r":-docker\.io/[a-z/-]+:v?\d+\.\d+\.\d+\}$", service["image"]), (
                f"{name} has no exact version"
            )


def test_grafana_alone_has_a_port_on_this_machine_only_and_asks_who_it_is() -> None:
    assert [name for name, service in PROFILE.items() if "ports" in service] == ["grafana"]
    grafana = PROFILE["grafana"]
    assert grafana["ports"] == ["127.0.0.1:${GRAFANA_PORT:-3000}:3000"]
    assert grafana["environment"]["GF_AUTH_ANONYMOUS_ENABLED"] == "false"
    assert grafana["environment"]["GF_USERS_ALLOW_SIGN_UP"] == "false"
    assert grafana["environment"]["GF_SECURITY_ADMIN_PASSWORD__FILE"] == "/run/secrets/grafana_password"
    for name in PROFILE.keys() - {"grafana"}:
        assert all(COMPOSE["networks"][each]["internal"] for each in PROFILE[name]["networks"]), name


def test_each_secret_of_the_profile_is_made() -> None:
    made = re.search(r"all='([^']*)'", (DEPLOY / "compose" / "make-secrets.sh").read_text())
    assert made is not None
    used = {
        each if isinstance(each, str) else each["source"] for one in PROFILE.values() for each in one.get("secrets", ())
    }
    assert used <= COMPOSE["secrets"].keys() & set(made[1].split())


def test_prometheus_looks_at_every_service_and_gives_the_labels_that_alerts_go_by() -> None:
    (job,) = yaml.load((OBSERVABILITY / "prometheus.yaml").read_text())["scrape_configs"]
    (names,) = job["dns_sd_configs"]
    assert set(names["names"]) == MODULES.keys() <= COMPOSE["services"].keys()
    assert names["port"] == 8080
    assert {rule["target_label"] for rule in job["relabel_configs"]} == {"service", "job", "pod"}


def test_spans_go_from_the_services_to_the_collector_to_tempo_and_are_seen_in_grafana() -> None:
    collector = yaml.load((OBSERVABILITY / "collector.yaml").read_text())
    assert collector["receivers"]["otlp"]["protocols"]["http"]["endpoint"].endswith(":4318")
    assert collector["exporters"]["otlp_http"]["endpoint"] == "http://tempo:4318"
    tempo = yaml.load((OBSERVABILITY / "tempo.yaml").read_text())
    assert tempo["distributor"]["receivers"]["otlp"]["protocols"]["http"]["endpoint"].endswith(":4318")
    sources = yaml.load((OBSERVABILITY / "grafana" / "datasources" / "switchhook.yaml").read_text())["datasources"]
    assert {source["type"]: source["url"] for source in sources} == {
        "prometheus": "http://prometheus:9090",
        "tempo": f"http://tempo:{tempo['server']['http_listen_port']}",
        "grafana-postgresql-datasource": "postgres:5432",
    }
    assert [source.get("user") for source in sources if "user" in source] == [ROLE]


def test_each_dashboard_asks_sources_that_there_are() -> None:
    sources = yaml.load((OBSERVABILITY / "grafana" / "datasources" / "switchhook.yaml").read_text())["datasources"]
    types = {source["type"] for source in sources}
    for name, board in dashboards().items():
        variables = {
            each["name"]: each["query"] for each in board["templating"]["list"] if each["type"] == "datasource"
        }
        assert set(variables.values()) <= types, name
        for panel in board["panels"]:
            assert variables[panel["datasource"]["uid"].strip("${}")] == panel["datasource"]["type"], panel["title"]


@pytest.mark.parametrize("title", statements("p"))
def test_a_tenants_queries_read_what_their_role_may_read(title: str) -> None:
    sql = statements("p")[title]
    tables = {(schema, table) for schema, table in re.findall(r"(?:FROM|JOIN) (\w+)\.(\w+)", sql)}
    assert tables
    allowed = {(OWNERS[service], table) for service, of in READ.items() for table in of}
    assert tables <= allowed
