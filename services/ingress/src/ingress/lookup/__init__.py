"""What ingress knows from the registry's view, in memory: triggers, flows, channels, people's addresses.

In go ids and names as callers write them; out come entities, the *address* of a conversation, the variables that a flow
accepts, or the problem that says what is missing. The *catalogue* reads by use and catches up once before it says no.
"""
