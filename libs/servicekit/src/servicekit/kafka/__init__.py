"""Kafka's clients, and records in and out. Enters: settings, records to write. Leaves: records read, acknowledgements.

Words: *record* (as it was read), *outgoing* (as it will be written), *source* (the record that caused another one),
*reader* (of one partition without a group, or as a member of one), *asker* (waits for replies), *publisher*.
"""
