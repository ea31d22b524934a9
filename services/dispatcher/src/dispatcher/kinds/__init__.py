"""The kinds of deliveries: one module each, and `table.DELIVERY_KINDS` of all of them.

A module has a `KIND`, a row whose columns are the fields of `dispatcher.model.delivery.DeliveryKind`: which action makes
it, how its destination is named and limited, when it expires and is tried again, how its request is made and its answer
read, and who hears of its end. A module that is put into this folder is in the table; nothing else names the kinds.

Enters: an action or event that becomes a delivery, a delivery to be sent, a result to be told. Leaves: values only.
"""
