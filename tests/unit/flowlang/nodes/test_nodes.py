"""What each node does, but questions and API calls, which have files of their own."""

from __future__ import annotations

from typing import Any

import pytest

END: dict[str, Any] = {"type": "end"}


def say(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "say", "parts": [{"text": text}], **more}


def test_say_sends_its_parts_numbered_and_goes_on(talk: Any) -> None:
    t = talk(
        {"a": {"type": "say", "parts": [{"text": "One"}, {"text": "Two"}], "ports": {"next": "b"}}, "b": say("Three")}
    )
    t.say("/go")
    assert [(effect.seq, effect.text) for effect in t.turn.effects if hasattr(effect, "seq")] == [
        (1, "One"),
        (2, "Two"),
        (3, "Three"),
    ]
    assert t.conversation.next_seq == 4
    assert t.conversation.session is None


BUTTONS = {
    "offer": {
        "type": "say",
        "parts": [
            {
                "text": "Seats left",
                "buttons": [
                    {"id": "more", "title": "Tell me", "to": "more"},
                    {"id": "plain", "title": "Just words"},
                    {"id": "site", "title": "Site", "url": "https://shop.example/p?n={{ user.name }}"},
                ],
            }
        ],
        "report": {"title": "Pressed", "url": "https://crm.example/x", "when": "more"},
    },
    "more": say("More"),
    "words": say("You said {{ event.text }}"),
}
WORDS = {"id": "words", "type": "any_message", "to": "words"}


def test_a_button_with_a_target_leads_there_later_and_once(talk: Any) -> None:
    t = talk(BUTTONS, [WORDS])
    t.say("/go")
    payload = t.payloads["Tell me"]
    assert len(payload.encode()) <= 64
    t.say(None, payload=payload)
    assert t.texts == ["More"]
    assert [post.title for post in t.posts] == ["Pressed"]
    t.say(None, payload=payload)
    assert t.turn.effects == []


def test_a_button_without_a_target_is_the_persons_message_with_its_title(talk: Any) -> None:
    t = talk(BUTTONS, [WORDS])
    t.say("/go")
    t.tap("Just words")
    assert t.texts == ["You said Just words"]


def test_a_title_that_is_typed_presses_the_button_of_the_last_message(talk: Any) -> None:
    t = talk(BUTTONS, [WORDS])
    t.say("/go")
    t.say("tell me")
    assert t.texts == ["More"]


def test_a_button_takes_the_session_there_from_where_it_waits(talk: Any) -> None:
    ask = {"type": "ask", "text": "Name?", "input": {"type": "text"}, "timeout": "PT1H", "ports": {"ok": "more"}}
    offer = {**BUTTONS["offer"], "ports": {"next": "ask"}}
    t = talk({**BUTTONS, "offer": offer, "ask": ask}, [WORDS])
    t.say("/go")
    payload, token = t.payloads["Tell me"], t.token
    t.say(None, payload=payload)
    assert t.texts == ["More"]
    assert t.conversation.session is None
    t.fire(token)
    assert t.turn.effects == []


def test_the_address_of_a_button_is_encoded_and_can_be_tracked(talk: Any) -> None:
    button = {"id": "pay", "title": "Pay", "url": "https://pay.example/{{ user.name }}", "track": True}
    t = talk({"a": {"type": "say", "parts": [{"text": "Pay", "buttons": [button]}]}})
    t.contact.profile["name"] = "A/B c?"
    t.say("/go")
    kind, payload = t.links[0]
    assert (kind, payload["url"], payload["node"]) == ("redirect", "https://pay.example/A%2FB%20c%3F", "a")
    assert t.turn.effects[1].buttons[0]["url"] == f"https://bot.example/redirect/{payload['jti']}"


@pytest.mark.parametrize("address", ["javascript:alert(1)", "", "//x", "https://x /y"])
def test_a_button_that_opens_no_address_is_an_error_not_a_dead_button(talk: Any, address: str) -> None:
    button = {"id": "go", "title": "Go", "url": "{{ memory.url }}"}
    t = talk(
        {
            "keep": {"type": "set", "values": {"memory.url": address}, "ports": {"next": "a"}},
            "a": {"type": "say", "parts": [{"text": "x", "buttons": [button]}], "ports": {"error": "b"}},
            "b": say("{{ temp.error.type }}"),
        }
    )
    t.say("/go")
    assert t.texts == ["button-url"]


def condition(source: str) -> dict[str, Any]:
    return {
        "c": {
            "type": "condition",
            "branches": [{"if": source, "to": "yes"}],
            "else": "no",
            "ports": {"error": "wrong"},
        },
        "yes": say("yes"),
        "no": say("no"),
        "wrong": say("wrong: {{ temp.error.type }}"),
    }


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ('user.name == "Ann"', "yes"),
        ("user.age > 3", "no"),
        ('"vip" in user.tags', "no"),
        ("user.name > 3", "wrong: expression"),
        ("user.name", "wrong: condition"),
        ('bot.shop == "Books" && system.channel == "telegram"', "yes"),
    ],
)
def test_a_condition_takes_the_first_true_branch(talk: Any, source: str, said: str) -> None:
    t = talk(condition(source))
    t.say("/go")
    assert t.texts == [said]


def test_a_value_that_is_not_there_is_not_true_and_is_noted(talk: Any) -> None:
    t = talk(condition("memory.seats > 0"))
    t.say("/go")
    assert t.texts == ["no"]
    assert "seats" in t.turn.steps[0]["missing"][0]


def test_set_keeps_types_of_expressions_and_makes_text_of_tags(talk: Any) -> None:
    values = {
        "memory.count": {"cel": "size(user.name) + 1"},
        "memory.list": ["{{ user.name }}", {"n": {"cel": "1.5"}}],
        "user.city": "Paris",
        "user.points": {"cel": "memory.count * 2"},
        "temp.note": "{{ memory.count }}",
    }
    t = talk(
        {
            "s": {"type": "set", "values": values, "ports": {"next": "a"}},
            "a": {**say("{{ temp.note }}"), "ports": {"next": "w"}},
            "w": {"type": "delay", "for": "PT1H"},
        }
    )
    t.say("/go")
    assert t.memory == {"count": 4, "list": ["Ann", {"n": 1.5}]}
    assert (t.contact.profile["city"], t.contact.variables["points"]) == ("Paris", 8)
    assert t.texts == ["4"]
    patch = next(effect for effect in t.turn.effects if type(effect).__name__ == "PatchContact")
    assert patch.set == {"profile.city": "Paris", "variables.points": 8}
    assert t.event_data("contact.updated") == {"changed": ["profile.city", "variables.points"]}


def test_null_clears_and_an_equal_value_changes_nothing(talk: Any) -> None:
    t = talk({"s": {"type": "set", "values": {"user.name": None, "user.age": 3}}})
    t.contact.variables["age"] = 3
    t.say("/go")
    patch = next(effect for effect in t.turn.effects if type(effect).__name__ == "PatchContact")
    assert patch.set == {"profile.name": None}
    assert "name" not in t.contact.profile


def test_tags_and_flags_are_told_when_they_change_only(talk: Any) -> None:
    nodes = {
        "a": {"type": "tag", "add": ["vip", "{{ user.name }}"], "remove": ["cold"], "ports": {"next": "b"}},
        "b": {"type": "flag", "add": ["wants-seat"], "remove": ["nothing"]},
    }
    t = talk(nodes)
    t.contact.tags.extend(["cold", "vip"])
    t.say("/go")
    assert [event for event in t.events if event.startswith(("tag", "flag"))] == [
        "tag.added",
        "tag.removed",
        "flag.assigned",
    ]
    assert (t.contact.tags, t.contact.flags) == (["vip", "Ann"], ["wants-seat"])
    patch = next(effect for effect in t.turn.effects if type(effect).__name__ == "PatchContact")
    assert (patch.add_tags, patch.remove_tags, patch.add_flags) == (("Ann",), ("cold",), ("wants-seat",))


def test_a_webhook_step_carries_the_person_as_of_that_step(talk: Any) -> None:
    hook = {"type": "send_webhook", "title": "At {{ user.points }}", "url": "https://crm.example/h?x={{ user.name }}"}
    t = talk(
        {
            "one": {"type": "set", "values": {"user.points": {"cel": "1"}}, "ports": {"next": "hook"}},
            "hook": {**hook, "format": "sendpulse", "ports": {"next": "two"}},
            "two": {"type": "set", "values": {"user.points": {"cel": "2"}}},
        }
    )
    t.say("/go")
    (post,) = t.posts
    assert (post.title, post.url, post.format, post.node) == (
        "At 1",
        "https://crm.example/h?x=Ann",
        "sendpulse",
        "hook",
    )
    assert post.contact.variables == {"points": 1}
    assert post.flow == {"id": "f1", "slug": "story", "version": 1, "name": "Story"}
    assert t.contact.variables == {"points": 2}


def test_push_profile_on_any_node_pushes_the_profile_once_the_step_is_done(talk: Any) -> None:
    t = talk({"a": {"type": "tag", "add": ["reserved"], "push_profile": True}})
    t.say("/go")
    pushed = next(effect for effect in t.turn.effects if getattr(effect, "type", "") == "profile.pushed")
    assert (pushed.node, pushed.contact.tags, pushed.flow["slug"]) == ("a", ["reserved"], "story")


def test_a_report_tells_when_a_question_was_answered(talk: Any) -> None:
    report = {
        "title": "Chose {{ memory.x }}",
        "url": "https://crm.example/r",
        "format": "sendpulse",
        "when": "answered",
    }
    ask = {"type": "ask", "text": "?", "input": {"type": "text", "save_to": "memory.x"}, "report": report}
    t = talk({"ask": ask})
    t.say("/go")
    assert t.posts == []
    t.say("tea")
    assert [post.title for post in t.posts] == ["Chose tea"]


def test_a_delay_goes_on_by_its_timer(talk: Any) -> None:
    t = talk({"d": {"type": "delay", "for": "PT3H", "ports": {"next": "a"}}, "a": say("Back")})
    t.say("/go")
    assert t.ends == {"e1": "waiting"}
    assert "2026-11-21T15:00:00.000Z" in [timer.due for timer in t.timers]
    t.fire()
    assert t.texts == ["Back"]
    assert t.ends == {"e1": "completed"}


def test_a_signal_wakes_who_waits_for_it_by_name(talk: Any) -> None:
    wait = {
        "type": "wait_event",
        "name": "paid",
        "save_to": "memory.payment",
        "timeout": "P1D",
        "ports": {"event": "a"},
    }
    t = talk({"w": wait, "a": say("Paid {{ memory.payment.sum }}")})
    t.say("/go")
    t.event("signal", name="shipped", data={})
    assert t.waits_at == "w"
    t.event("signal", name="paid", data={"sum": 5})
    assert t.texts == ["Paid 5"]


def test_a_jump_goes_to_a_node_and_to_another_flow_with_the_memory(talk_of: Any, story: Any) -> None:
    one = story(
        {
            "s": {"type": "set", "values": {"memory.x": "kept"}, "ports": {"next": "j"}},
            "j": {"type": "jump", "to": "k"},
            "k": {"type": "jump", "flow": "other"},
        }
    )
    two = {**story({"a": say("Here: {{ memory.x }}")}), "slug": "other", "triggers": []}
    t = talk_of(one, two)
    t.say("/go")
    assert t.texts == ["Here: kept"]
    assert [event for event in t.events if event.startswith("flow")] == [
        "flow.launched",
        "flow.launched",
        "flow.completed",
    ]
    assert [effect.flow["slug"] for effect in t.turn.effects if getattr(effect, "type", "") == "flow.completed"] == [
        "other"
    ]


def test_a_jump_to_a_flow_that_is_gone_is_an_error(talk: Any) -> None:
    t = talk({"j": {"type": "jump", "flow": "gone", "ports": {"error": "a"}}, "a": say("{{ temp.error.type }}")})
    t.say("/go")
    assert t.texts == ["unknown-flow"]


def test_a_hook_url_is_signed_for_the_person_and_kept(talk: Any) -> None:
    hook = {
        "type": "hook_url",
        "command": "/paid",
        "content": {"order": "{{ user.name }}"},
        "redirect_to": "https://shop.example/thanks?u={{ user.name }}",
        "expires_in": "PT1H",
        "single_use": True,
        "save_to": "memory.url",
        "ports": {"next": "a"},
    }
    t = talk({"h": hook, "a": say("{{ memory.url }}")})
    t.say("/go")
    kind, payload = t.links[0]
    assert kind == "command"
    assert payload == {
        "command": "/paid",
        "person": {"contact_id": "k1"},
        "content": {"order": "Ann"},
        "redirect_to": "https://shop.example/thanks?u=Ann",
        "expires_at": "2026-11-21T13:00:00.000Z",
        "single_use": True,
        "confirm": False,
        "jti": payload["jti"],
    }
    assert t.texts == [f"https://bot.example/command/{payload['jti']}"]


CODE = {
    "c": {"type": "code", "source": "send('x')", "save_to": "memory.v", "ports": {"next": "a", "error": "b"}},
    "a": say("after {{ memory.v }}"),
    "b": say("failed: {{ temp.error.detail }}"),
}


def test_code_pauses_the_turn_and_what_it_sent_comes_with_the_rest(talk: Any) -> None:
    t = talk({"first": say("before", ports={"next": "c"}), **CODE})
    t.say("/go")
    code = t.turn.code
    assert code is not None
    assert code.inputs["user"]["name"] == "Ann"
    assert (code.now, t.conversation.version) == (t.now, 0)
    t.code_gives(sent=["from code"], value=7, runs=[{"command": "/x", "user_id": 5, "content": 1}, {"command": "/y"}])
    assert t.texts == ["before", "from code", "after 7"]
    assert t.conversation.version == 1
    runs = [effect for effect in t.turn.effects if type(effect).__name__ == "RunCommand"]
    assert [(run.command, run.person) for run in runs] == [
        ("/x", {"peer_id": "5", "channel_id": "c"}),
        ("/y", {"contact_id": "k1"}),
    ]


def test_failed_code_has_done_nothing_and_leaves_by_its_error_port(talk: Any) -> None:
    t = talk(CODE)
    t.say("/go")
    t.code_gives(ok=False, error="no such order", sent=["never"])
    assert t.texts == ["failed: no such order"]


def test_two_code_nodes_in_a_turn(talk: Any) -> None:
    t = talk({"one": {"type": "code", "source": "1", "ports": {"next": "c"}}, **CODE})
    t.say("/go")
    first = t.turn.code.wait
    t.code_gives(sent=["1"])
    assert t.turn.code.wait != first
    t.code_gives(sent=["2"], value=0)
    assert t.texts == ["1", "2", "after 0"]


def test_the_result_of_other_code_is_refused(talk: Any) -> None:
    t = talk(CODE)
    t.say("/go")
    with pytest.raises(ValueError, match="step from the conversation"):
        t.code_gives(wait="another")


def test_end_ends_the_path(talk: Any) -> None:
    t = talk({"a": say("x", ports={"next": "e"}), "e": END})
    t.say("/go")
    assert t.conversation.session is None
    assert t.events[-1] == "flow.completed"


def test_a_message_that_comes_out_empty_is_not_sent_and_the_trace_says_why(talk: Any) -> None:
    t = talk({"a": say(" {{ user.nickname }} ", ports={"next": "b"}), "b": say("Hello")})
    t.say("/go")
    assert t.texts == ["Hello"]
    assert t.turn.steps[0]["missing"] == ["user.nickname"]


def test_the_content_of_a_url_is_bounded(talk: Any) -> None:
    hook = {"type": "hook_url", "command": "/x", "content": "{{ event.content }}", "save_to": "temp.url"}
    t = talk({"h": hook})
    t.say("/go " + "x" * 3000)
    assert t.event_data("flow.failed")["error"]["type"] == "content-too-large"
