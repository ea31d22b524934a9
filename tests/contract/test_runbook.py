"""Each alert has its page: what it means and what to do."""

import re

from devstack.paths import ROOT

ALERTS = ROOT / "deploy" / "helm" / "switchhook" / "files" / "alerts.yaml"
RUNBOOK = ROOT / "docs" / "how-to" / "runbook.md"


def test_the_runbook_has_a_section_for_each_alert_and_no_other() -> None:
    alerts = re.findall(r"(?m)^ *- alert: (\w+)$", ALERTS.read_text())
    assert re.findall(r"(?m)^## (\w+)$", RUNBOOK.read_text()) == alerts
