"""Saturated load, crashes at the worst moments, freezes, outages; then a checker that believes nobody.

`./switchhook chaos --seconds 60 --seed 7 [--broken outbox|fence|dedupe|lease]`
"""
