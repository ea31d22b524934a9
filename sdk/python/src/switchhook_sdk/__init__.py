"""What a program beside Switchhook is written with: its events by typed handlers, its commands with their outcomes, over Kafka.

It stands on FastStream and on the records of contracts; `data` has the model of what each type of event tells.
"""

from contracts import event_data as data
from contracts.people import Person, Profile
from switchhook_sdk.commands import Commands
from switchhook_sdk.deduplication import SeenIds, once
from switchhook_sdk.event import CloudEvent
from switchhook_sdk.outcomes import Outcome, OutcomeUnknown
from switchhook_sdk.settings import KafkaSettings
from switchhook_sdk.switchhook import Switchhook

__all__ = [
    "CloudEvent",
    "Commands",
    "KafkaSettings",
    "Outcome",
    "OutcomeUnknown",
    "Person",
    "Profile",
    "SeenIds",
    "Switchhook",
    "data",
    "once",
]
