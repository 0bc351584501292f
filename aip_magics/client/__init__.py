"""REST client of the v1 API, for Google's endpoint, compatible endpoints and the embedded server."""

from aip_magics.client.calls import Request
from aip_magics.client.client import Client
from aip_magics.client.operation_watch import OperationUpdate, version_state
from aip_magics.client.transport import Transport

__all__ = ["Client", "OperationUpdate", "Request", "Transport", "version_state"]
