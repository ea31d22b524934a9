"""Who is in a segment. Enters: a bot, a segment's filter, a place in the list. Leaves: a page of members, or how many there are.

    segments = Segments(workers)
    page = await segments.members(pool, bot, read_filter(segment.filter), after, limit)
    page.items    # ids of contacts, the contact made last first
    page.next     # `after` of the next call; None: there are no more. A page may be empty and have a next.

A filter is *evaluated* by `query` where it can be a condition of SQL (store.segment_sql), else by `walk`: contacts are read
one page after the other, and the filter is asked of each in a worker process, which can be ended. A page looks at
contact_lists.CANDIDATES contacts at most, so it costs the same however many contacts there are, and fewer where it takes long.
Contacts that are made meanwhile stand before the first page: a walk that has begun does not meet them.
"""
