"""The services by name, and what of an installation belongs to each."""

MODULES = {
    "registry": "registry",
    "flow-engine": "flow_engine",
    "dispatcher": "dispatcher",
    "ingress": "ingress",
}
"""Service -> the module that is run; in the order in which they are started."""

OWNERS = {"registry": "registry", "flow-engine": "flow_engine", "dispatcher": "dispatcher"}
"""Service -> the name of its schema, of its migrations, and (with `switchhook_` before it) of its role."""
