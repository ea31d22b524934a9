"""A door for each way in but chats: triggers, generated URLs, tracked links, platforms, signals.

In comes a request whose path and method are known; out go an inbound record that Kafka has acknowledged, and the answer.
Words: a *door* is a class whose instance, or methods, are filed under rows of the route table.
"""
