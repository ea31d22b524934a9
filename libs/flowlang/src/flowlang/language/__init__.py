"""What authors write, from text to graph. In: JSON or YAML. Out: problems with their places, or a graph that runs.

Words: *document* (a flow as it is written, `flow/1`), *problem* (one finding, with a JSON pointer), *publish* refuses
errors and lets warnings pass.
"""
