"""The words the four services share: topics, records, entities, events and routes. No I/O."""
