"""What is kept of a SavedModel's protocol buffer, within bounds: the file may be made to hurt."""

from __future__ import annotations

from aip_magics.artifacts.bounded_reader import inspection_limit_message
from aip_magics.artifacts.saved_models.schema import Tree

# A model of a thousand inputs has some 6,000 messages that are kept (nodes are not), TensorFlow 1,500 names of ops.
_MESSAGES = 50_000
_TEXTS = 100_000
MAX_TEXT_BYTES = 64 * 1024


class CorruptedFile(ValueError):
    """The bytes are not such a message, or one that exceeds the inspection limit."""


class Kept:
    """Counts what one reader keeps. Damaged where it is too much."""

    def __init__(self) -> None:
        self._messages = _MESSAGES
        self._texts: dict[str, str] = {}

    def message(self) -> Tree:
        """A new message that is kept."""
        self._messages -= 1
        if self._messages < 0:
            raise CorruptedFile(inspection_limit_message())
        return {}

    def text(self, text: str) -> str:
        """The text; the very same object for every text that is equal, as 100,000 nodes have the same ops."""
        if len(self._texts) >= _TEXTS and text not in self._texts:
            raise CorruptedFile(inspection_limit_message())
        return self._texts.setdefault(text, text)
