"""What becomes of a document with a `greet` node where the package `greetings` is installed: printed as JSON."""

from __future__ import annotations

import orjson

from devstack.reference_docs import pages
from flowlang.language.check import check
from flowlang.language.schema import document_schema, node_types
from support.dialogue import Dialogue, document

GOOD = document(
    {
        "hello": {"type": "greet", "whom": "{{ user.name }}", "loudness": 2, "ports": {"next": "again"}},
        "again": {"type": "greet", "whom": "{{ memory.friend }}", "ports": {"error": "sorry"}},
        "sorry": {"type": "say", "parts": [{"text": "{{ temp.error.type }}"}]},
    },
    variables={"friend": {"type": "string"}},
)
BAD = document({"hello": {"type": "greet", "whom": "{{ user.name", "ports": {"later": "bye"}}, "bye": {"type": "end"}})
WORSE = document({"hello": {"type": "greet", "loudness": 9, "tone": "kind"}})


def main() -> None:
    dialogue = Dialogue(GOOD)
    dialogue.say("/go")
    found = {
        "problems": {name: check(raw) for name, raw in (("good", GOOD), ("bad", BAD), ("worse", WORSE))},
        "schema": document_schema(),
        "described": [one for one in node_types() if one["type"] == "greet"],
        "page": pages()["nodes/greet.md"],
        "texts": dialogue.texts,
        "path": dialogue.path,
    }
    print(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())


if __name__ == "__main__":
    main()
