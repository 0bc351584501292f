"""The verbs, shared by the magics and the command line: one file each, the table in `verbs`, helpers in `common`."""
