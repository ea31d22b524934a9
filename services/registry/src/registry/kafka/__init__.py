"""What goes to and comes from other services beside the registry's own topic.

Out go calls that the dispatcher makes for us (an API call's test, a platform's check of a channel), in come its answers;
in come *findings*, what other services found out that an entity's state should say.
"""
