"""The notebook face: magics and how they draw."""
