"""Tests on the whole of Switchhook, all on one stack with two replicas of the engine and of the dispatcher."""
