"""Whether a run was sound: by the checker of ./switchhook chaos, and by what it cannot see from outside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from bench.chaos.checker import SentAgain, Verdict, judge

from contracts import actions, dlq, inbound
from dispatcher.store.rows import NewRow
from servicekit.kafka.records import Record
from simulation.machines import Process
from simulation.people import Crowd
from simulation.tenants import GREETING, QUICK, QUICK_CHATS, TENANTS, line_of
from simulation.world import World
from support.deliveries_in_memory import Row

NEIGHBOUR_SECONDS = 4.0
"""Two of them are a flow's own pause."""
QUICK_SECONDS = 0.5
SOON = timedelta(seconds=20)
"""A delivery that is due later than this is waited for without anybody at work."""


def judge_all(
    world: World, crowd: Crowd, processes: Sequence[Process], *, settled: bool, again: SentAgain | None
) -> tuple[Verdict, list[str]]:
    """The checker's verdict, and a sentence for each other thing that is wrong. `again`: what may be sent a second time."""
    verdict = judge(crowd.accepted, arrivals(world), counted(world), taken_twice(world), world.losable, again)
    wrong = list(verdict.examples)
    if not settled:
        said = [problem for process in processes if (problem := process.problem())]
        left = unfinished(world, crowd)
        wrong.append(f"it never ended: {left}; readiness says {said or 'nothing'}")
    wrong += [f"{key.decode()} is in no dead-letter topic" for key in crowd.spoilt if key not in dead_letters(world)]
    wrong += [f"{id} is held: {held[0].error}" for id, held in world.conversations.waiting.items() if held]
    wrong += world.begun_early[:3]
    wrong += [f"a process ended by itself: {each}" for each in world.crashes]
    wrong += [f"an error that nobody took: {each}" for each in world.loop.failures]
    return verdict, wrong


def felt(crowd: Crowd, neighbours: set[int]) -> list[str]:
    """Which of these tenants' people waited longer for an answer than their own flow makes them."""
    crowd.heard("")
    return [
        f"chat {chat} waited {waited:.1f} s for the answer to {number}, beside other tenants' bad hosts"
        for (chat, number), waited in crowd.waited.items()
        if int(chat) % TENANTS in neighbours and waited > NEIGHBOUR_SECONDS
    ]


def of_flows(world: World, *, repeated: bool, lost: bool) -> list[str]:
    """What flows did otherwise than their nodes and triggers say. `repeated`: an operator had something done again; `lost`: an
    event may be among what a log has lost."""
    kept = world.conversations
    twice = {what: count for what, count in world.receivers.once.items() if count > 1 and not repeated}
    found = [f"{what!r} was asked for {count} times" for what, count in twice.items()]
    for row in kept.conversations.values():
        said = kept.contacts[row.contact_id][1].variables if row.contact_id else {}
        bot, _, chat = row.key.split("/")
        greeted = said.get("greeted", 0)
        if said.get("way") == "moved":
            found.append(f"chat {chat} went another way of a split than before")
        if said.get("astray"):
            found.append(f"what a called flow gave back to chat {chat} is not what it was called with")
        if bot in GREETING and "count" in said and greeted != 1 and (greeted > 1 or not lost):
            found.append(f"that chat {chat} came began {greeted} flows")
    return found


def disordered(world: World) -> list[str]:
    """Which deliveries of lanes reached an ordered endpoint before one that stands before them,."""
    heard = [each.headers["webhook-id"] for each in world.receivers.heard if "webhook-id" in each.headers]
    first = {id: at for at, id in reversed(list(enumerate(heard)))}
    rows = [row.new for row in world.deliveries.tables.rows.values() if row.new.kind == "event" and row.new.lane]
    lanes: dict[str, list[NewRow]] = {}
    for row in sorted(rows, key=lambda row: row.seq or 0):
        lanes.setdefault(row.lane or "", []).append(row)
    return [
        f"of {lane} number {after.seq} came before {before.seq}"
        for lane, there in lanes.items()
        for before, after in pairwise([row for row in there if str(row.id) in first])
        if first[str(after.id)] < first[str(before.id)]
    ]


def repeated(verdict: Verdict) -> list[str]:
    """That something was sent twice."""
    count = verdict.wire_duplicates
    return [f"{count} messages were sent twice, although leases outlast what happened"] * bool(count)


def quick_ones(world: World, crowd: Crowd) -> list[str]:
    """What is wrong with the turns that are ready while their batch waits, beside slow ones of their project."""
    late = [
        f"chat {chat} waited {waited:.1f} s for its turn, beside slow ones of its project"
        for chat in crowd.chats
        if int(chat) in QUICK_CHATS and (waited := _longest_turn(world, chat)) > QUICK_SECONDS
    ]
    woken = [
        record.key or b""
        for part in world.log.topics[inbound.TOPIC.name]
        for record in part.records
        if (record.key or b"").startswith(QUICK.encode()) and _is_redrive(record)
    ]
    return late[:5] + [f"{len(woken)} turns were deferred that are ready in time: {woken[:3]}"] * bool(woken)


def _longest_turn(world: World, chat: str) -> float:
    """Seconds from a message to the action that answers it, of all that the person said."""
    _, bot, channel = line_of(chat)
    key = f"{bot}/{channel}/{chat}".encode()
    asked: dict[bytes | None, int] = {}
    for record in _records(world, inbound.TOPIC.name, key):
        about = dict(record.headers)
        if (about["ce_type"] or b"").endswith(b"inbound.message"):
            asked.setdefault(about["ce_id"], record.timestamp)
    answered = [record.timestamp for record in _records(world, actions.TOPIC.name, key)]
    return max((after - before for before, after in zip(asked.values(), answered, strict=False)), default=0) / 1000


def _is_redrive(record: Record) -> bool:
    return (dict(record.headers).get("ce_type") or b"").endswith(b"inbound.redrive")


def _records(world: World, topic: str, key: bytes) -> list[Record]:
    return [record for part in world.log.topics[topic] for record in part.records if record.key == key]


def arrivals(world: World) -> list[tuple[str, str]]:
    """(chat, text) of each message that reached a Bot API, in order."""
    heard = (each for each in world.receivers.heard if each.is_answer)
    return [(str(each.body["chat_id"]), each.body["text"]) for each in heard]


def counted(world: World) -> dict[str, int]:
    """Chat -> the count that state holds."""
    kept = world.conversations
    return {
        row.key.rpartition("/")[2]: int(kept.contacts[row.contact_id][1].variables.get("count", 0))
        for row in kept.conversations.values()
        if row.contact_id  # A contact's own writes are with nobody.
    }


def taken_twice(world: World) -> dict[str, int]:
    """Chat -> how many of its messages became more than one delivery."""
    there = world.deliveries.tables.rows.values()
    rows = [
        row.new for row in there if row.new.kind == "message" and row.new.conversation
    ]  # Of who is erased there is none.
    made = Counter((row.conversation, row.seq) for row in rows)
    found: Counter[str] = Counter()
    for (conversation, _), count in made.items():
        if count > 1:
            found[(conversation or "").rpartition("/")[2]] += count - 1
    return dict(found)


def unfinished(world: World, crowd: Crowd) -> list[str]:
    """What was accepted and has not come to an end, in words; empty when all has."""
    found = []
    for database in world.databases:
        rows = database.checkpoints.rows
        behind = {place: world.log.part(*place).end - row.next_offset for place, row in rows.items()}
        if any(behind.values()):
            found.append(
                f"{database.server.name} is behind: { {place: left for place, left in behind.items() if left} }"
            )
        if database.checkpoints.outbox:
            found.append(f"{len(database.checkpoints.outbox)} rows in the outbox of {database.server.name}")
    sent = world.conversations.broadcasts.sent.values()
    found += [f"a broadcast is {one.state}" for one in sent if not one.closed]
    if world.deliveries.tables.outbox:
        found.append(f"{len(world.deliveries.tables.outbox)} results that Kafka has not got")
    resting = set(map(id, at_rest(world)))
    states = Counter(row.state for row in _unfinished(world) if id(row) not in resting)
    if states:
        found.append(f"deliveries: {dict(states)}")
    late = given_up(world)
    if missing := {chat for chat in crowd.accepted if chat not in late and not answered(world, crowd, chat)}:
        found.append(f"no answer to the last word of {sorted(missing)}")
    return found


def answered(world: World, crowd: Crowd, chat: str) -> bool:
    """Whether the last word has its answer; if its run was refused, the word before it."""
    last = crowd.accepted[chat]
    while last in world.losable.get(chat, ()):
        last -= 1
    return crowd.heard(chat) >= last


def everything_is_sent(world: World) -> bool:
    """Whether dispatchers have nothing to do."""
    places = world.dispatcher_database.checkpoints.rows.items()
    all_read = all(world.log.part(*place).end == row.next_offset for place, row in places)
    return all_read and not world.deliveries.tables.outbox and not _unfinished(world)


def given_up(world: World) -> dict[str, datetime]:
    """Chat -> when it waits no longer, of those that wait for a call that is gone."""
    soon, waits = world.now() + SOON, dict[str, datetime]()
    for each in world.conversations.armed.values():
        chat = each.row.key.rpartition("/")[2]
        if chat in world.unanswered and each.fired_at is None:
            waits[chat] = min(each.row.due, waits.get(chat, each.row.due))
    return {chat: due for chat, due in waits.items() if due > soon}


def at_rest(world: World) -> list[Row]:
    """Deliveries whose next attempt is some time off, and what waits behind them in their lanes."""
    soon = world.now() + SOON
    waiting = [row for row in _unfinished(world) if row.state == "retrying" and row.due and row.due > soon]
    lanes = {row.new.lane for row in waiting if row.new.lane is not None}
    return waiting + [row for row in _unfinished(world) if row.state == "blocked" and row.new.lane in lanes]


def _unfinished(world: World) -> list[Row]:
    return [row for row in world.deliveries.tables.rows.values() if not row.finished]


def dead_letters(world: World) -> set[bytes | None]:
    """Keys of all that went there."""
    topics = [dlq.topic_for(service).name for service in ("flow-engine", "dispatcher")]
    return {record.key for topic in topics for part in world.log.topics[topic] for record in part.records}
