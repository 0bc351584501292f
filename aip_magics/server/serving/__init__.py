"""How a version is served: its group of nodes, how many they are, what is measured and logged.

Read `autoscaler` (how many nodes), `node_group` (routing, retries), `request_queue`, `batching` (several requests as
one), `node_spec`, `node_start`, `node_budget` (memory and descriptors of all versions' nodes), `memory` (what is
measured for it), `statistics` (counters, latencies), `request_logs` (logs per version).
"""
