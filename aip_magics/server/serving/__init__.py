"""How a version is served: its group of nodes, how many they are, what is measured and written down.

Read `scaling` (how many nodes), `group` (routing, the queue, retries), `merging` (several requests as one),
`recipe`, `statistics` (counters, latencies), `journals` (logs per version).
"""
