"""Each alert fires when it should, and not at what looks alike: alerts.yaml beside this file says at what."""

import re
import subprocess
from pathlib import Path

from devstack.deploy_files import CHART, DEPLOY

FOLDER = Path(__file__).parent


def promtool(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *words], cwd=FOLDER, capture_output=True, text=True, check=False)


def test_the_alerts_fire_at_what_they_are_for_and_at_nothing_else() -> None:
    told = promtool("test", "rules", "alerts.yaml")
    assert told.returncode == 0, told.stdout + told.stderr


def test_each_alert_fires_in_one_of_these_cases_and_stays_silent_in_another() -> None:
    alerts = set(re.findall(r"(?m)^ *- alert: (\w+)$", (DEPLOY / CHART / "files" / "alerts.yaml").read_text()))
    cases = (FOLDER / "alerts.yaml").read_text()
    assert alerts == set(re.findall(r"alertname: (\w+)\n *exp_alerts", cases))
    assert alerts == set(re.findall(r"\{ eval_time: \d+m, alertname: (\w+) \}", cases))
