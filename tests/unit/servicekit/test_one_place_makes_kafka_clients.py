import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
KAFKA = ROOT / "libs/servicekit/src/servicekit/kafka"
CLIENTS = {"AIOKafkaConsumer", "AIOKafkaProducer", "AIOKafkaAdminClient", "AIOKafkaClient", "KafkaBroker"}
PUBLIC = {"aiokafka", "aiokafka.admin", "aiokafka.errors", "aiokafka.structs"}
PRIVATE = re.compile(
    r"\._(client|fetcher|coordinator|subscription|message_accumulator|sender|conns|msg_futures)\b(?!\()"
)
FILES = [
    path
    for folder in ("services", "libs", "contracts")
    for path in sorted((ROOT / folder).glob("**/src/**/*.py"))
    if re.search("kafka", path.read_text(), re.IGNORECASE)
]


def called(path: Path) -> set[str]:
    calls = (node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
    return {call.id if isinstance(call, ast.Name) else getattr(call, "attr", "") for call in calls}


def modules(path: Path) -> set[str]:
    nodes = ast.walk(ast.parse(path.read_text()))
    return {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}


def test_clients_are_made_in_one_place():
    """A client that is made elsewhere has neither the login nor the topic prefix of the settings."""
    may = {KAFKA / "clients.py": CLIENTS, KAFKA / "asyncapi.py": {"KafkaBroker"}}
    assert [path for path in FILES if (called(path) & CLIENTS) - may.get(path, set())] == []


def test_only_the_adapter_looks_inside_aiokafka():
    """A new version may change what is inside; tests/contract/test_aiokafka.py says so, of what the adapter uses."""
    others = [path for path in FILES if path.parent.name != "inside_aiokafka"]
    assert [path for path in others if {name for name in modules(path) if name.startswith("aiokafka")} - PUBLIC] == []
    assert [path for path in others if "aiokafka" in path.read_text() and PRIVATE.search(path.read_text())] == []
