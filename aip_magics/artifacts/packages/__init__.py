"""Source distributions and wheels, looked into without running or unpacking them.

::

    archives (does it hold together?) ─► setup_script, classes (by their text) ─► reading (the facts)
"""

from __future__ import annotations

from aip_magics.artifacts.packages.package_facts import PackageFacts, read
from aip_magics.artifacts.packages.setup_script import FileRead

__all__ = ["FileRead", "PackageFacts", "read"]
