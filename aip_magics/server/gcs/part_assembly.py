"""Assembly of the parts of a multipart upload into one file, with no more disk space than one part needs."""

from __future__ import annotations

import bisect
import contextlib
import itertools
import os
from collections.abc import Sequence

from aip_magics.server.gcs.blobs import Blobs, append_range


class PartAssembly:
    """The incoming files of parts (file, size in bytes), of which the first becomes the whole.

    Each other file is appended to the first one and deleted. The length of the first file says how far the assembly
    has come: nothing is recorded per part, and after a kill of the process the assembly resumes where it was.
    """

    def __init__(self, blobs: Blobs, parts: Sequence[tuple[str, int]]) -> None:
        self._blobs = blobs
        self._files = [file for file, _size in parts]
        self._ends = list(itertools.accumulate(size for _file, size in parts))  # of each part in the whole
        self.file = self._files[0]
        self.size = self._ends[-1]

    @property
    def started(self) -> bool:
        """Whether a part was appended completely: its own file may be gone."""
        if len(self._ends) == 1:
            return False
        try:
            return self._blobs.incoming(self.file).stat().st_size >= self._ends[1]
        except FileNotFoundError:
            return False

    def advance(self, limit: int) -> bool:
        """Append at most `limit` bytes; return whether the file is complete.

        A failure (a full disk) takes back a part that was appended incompletely, which leaves room for others to write.

        Raises:
            FileNotFoundError: A file is gone.
            EOFError: A file is shorter than its part, or longer than the whole.
        """
        with self._blobs.incoming(self.file).open("r+b", buffering=0) as target:
            length = target.seek(0, os.SEEK_END)
            done = bisect.bisect_right(self._ends, length)  # parts
            if not done or length > self.size:
                raise EOFError(f"the file {self.file} has an unexpected length")
            if done > 1:
                self._blobs.discard(self._files[done - 1 : done])  # a kill may have come before its deletion
            try:
                while done < len(self._ends) and limit:
                    count = min(limit, self._ends[done] - length)
                    source = self._blobs.incoming(self._files[done])
                    append_range(target, source, length - self._ends[done - 1], count)
                    length, limit = length + count, limit - count
                    if length == self._ends[done]:
                        self._blobs.discard(self._files[done : done + 1])
                        done += 1
            except OSError:
                with contextlib.suppress(OSError):
                    target.truncate(self._ends[done - 1])
                raise
        return done == len(self._ends)

    def restore_first(self) -> None:
        """Restore the file of the first part, to which an assembly may have appended; raises as `advance` does."""
        path, size = self._blobs.incoming(self.file), self._ends[0]
        if (length := path.stat().st_size) < size:
            raise EOFError(f"the file {self.file} is truncated")
        if length > size:
            os.truncate(path, size)
