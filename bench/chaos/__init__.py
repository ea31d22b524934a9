"""Crashes at the worst moments, outages, poison, full disks and topics made anew; then a checker that believes nobody.

`./switchhook chaos [--fault NAME …] [--seconds 60] [--seed 7] [--engine-away 420] [--broken outbox|fence|dedupe|lease]`.
docs/explanation/guarantees.md has the list. attack.py is the storm and its controls, rounds.py what all other faults have in
common, strikes.py the faults, schedule.py their names.
"""
