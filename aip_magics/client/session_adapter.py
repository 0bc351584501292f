"""requests adapter whose connections give up on responses that do not end."""

from __future__ import annotations

from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from aip_magics.bounded_response import WholeResponse


def mount_bounded_adapter(session: requests.Session) -> None:
    """Mount the adapter on a session that has no other kind of adapter."""
    for prefix in ("http://", "https://"):
        if type(session.adapters.get(prefix)) is HTTPAdapter:
            session.mount(prefix, _BoundedAdapter())


class _BoundedConnection(HTTPConnection):
    response_class = WholeResponse


class _BoundedHttpsConnection(HTTPSConnection):
    response_class = WholeResponse


class _BoundedPool(HTTPConnectionPool):
    ConnectionCls = _BoundedConnection


class _BoundedHttpsPool(HTTPSConnectionPool):
    ConnectionCls = _BoundedHttpsConnection


_POOLS = {"http": _BoundedPool, "https": _BoundedHttpsPool}


class _BoundedAdapter(HTTPAdapter):
    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *arguments: Any, **options: Any) -> Any:
        manager = super().proxy_manager_for(*arguments, **options)
        manager.pool_classes_by_scheme = _POOLS
        return manager
