"""What several verbs share: what a command is, its options, its line and cell, its execution, what it keeps."""
