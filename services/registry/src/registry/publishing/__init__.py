"""How the topic comes to say what the tables say.

In come rows of the table `publication`, written with each change; out go records, from the one *leader*, in order. The *audit*
compares topic and tables and publishes again what the topic lacks; *housekeeping* is what the leader does beside.
"""
