"""The REST client of the v1 API: the same code for Google's endpoint, a compatible one and the embedded server."""

from aip_magics.client.calls import Request
from aip_magics.client.client import Client
from aip_magics.client.transport import Transport

__all__ = ["Client", "Request", "Transport"]
