"""A cache of directories that are named by what is in them: made once, whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path


def directory(
    folder: Path,
    key: str,
    make: Callable[[Path], None],
    *,
    deadline: float,
    usable: Callable[[Path], bool] = Path.is_dir,
) -> Path:
    """`folder/key`, made by `make(path)` where it is not there yet or not `usable`.

    `make` fills a directory beside it, which takes the name when it is done: an interrupt leaves nothing, of two that
    make the same one waits for the other. TimeoutError where it waited longer than `deadline` seconds.
    """
    import filelock

    final = folder / key
    if usable(final):
        return final
    folder.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(folder / f".{key}.lock", timeout=deadline):
        if usable(final):
            return final
        partial = folder / f".{key}.partial"  # whoever holds the lock owns it: what lies there is of one that died
        for path in (partial, final):
            if path.exists():
                shutil.rmtree(path)
        partial.mkdir()
        try:
            make(partial)
            os.rename(partial, final)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return final
