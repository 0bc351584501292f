"""REST client of the v1 API, for Google's endpoint, compatible endpoints and the embedded server."""

from aip_magics.client.calls import Request, Wait
from aip_magics.client.client import Client
from aip_magics.client.operation_watch import OperationUpdate, version_state
from aip_magics.client.service import Service
from aip_magics.client.transport import Transport

__all__ = ["Client", "OperationUpdate", "Request", "Service", "Transport", "Wait", "version_state"]
