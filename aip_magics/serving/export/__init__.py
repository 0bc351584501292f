"""Write the directory that a container is built from: server, requirements, custom code, and a Dockerfile.

::

    container ─┬─► requirements (what to install, and for which Python)
               ├─► files (our code, custom code, the model)
               └─► dockerfile
"""

from __future__ import annotations

from aip_magics.serving.export.container import Container, ContainerOptions, export_container, image_name

__all__ = ["Container", "ContainerOptions", "export_container", "image_name"]
