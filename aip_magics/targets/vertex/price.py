"""What a machine of Vertex AI's online prediction costs, asked of the Cloud Billing Catalog API.

No price is remembered, neither here nor on disk: it is the list price of the moment, before discounts and credits of
the user's own contract. Whatever is missing (credentials, permission, an answer in time, the price of a part) leaves
the price unknown; a deployment goes on without it.

Sources:
    The fields: docs.cloud.google.com/billing/v1/how-tos/catalog-api (`services.skus.list`, v1).
    The descriptions ("Vertex AI: Online/Batch Prediction N1 Predefined Instance Core running in …", "… A2 Instance Ram
    running in Americas", "… Nvidia A100 80gb GPU running in Iowa"), and that core, memory and accelerators are all that
    is billed on demand: zenn.dev, a bill of 2025-08 with the SKUs of an A3 machine, and public programs that look the
    same SKUs up. Where Google words one in another way, it is not found and the price is unknown.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from aip_magics import catalog

HOURS_A_MONTH = 730
CURRENCY = "USD"
ENDPOINT_PROPERTY = "api_endpoint_overrides/cloudbilling"  # gcloud's
_ENDPOINT = "https://cloudbilling.googleapis.com"
# The service of Vertex AI. Its ID, because names change: its display name, and the start of its descriptions.
_SERVICE = "C7E2-9256-1C43"
_FIELDS = "nextPageToken,skus(description,category/usageType,serviceRegions,pricingInfo/pricingExpression)"
_SECONDS = 3.0  # in all
# Not those of Spot machines and reservations: a management fee, beside what Compute Engine bills.
_PREDICTION = re.compile(r"(?:[^:]+: )?Online/Batch Prediction (?P<part>.+) running in .+")
_INSTANCE = re.compile(r"(?P<series>\w+)(?: AMD)?(?: Predefined)? Instance (?P<part>core|ram)", re.IGNORECASE)
_GPU = re.compile(r"(?P<name>.+) GPU", re.IGNORECASE)
_UNITS = {"core": "h", "ram": "GiBy.h"}  # of an accelerator as of a core
# Compute Engine bills their cores and memory by SKUs of their own, whose names for predictions are not known.
_UNKNOWN_MACHINES = ("a3-megagpu-", "a3-ultragpu-")


def monthly_price(
    machine_spec: Mapping[str, Any], replicas: int, region: str, credentials: Any, endpoint: str | None = None
) -> float | None:
    """The list price in USD of replicas that run for a month; None if it is not known within three seconds.

    Args:
        machine_spec: A MachineSpec of Vertex AI.
        replicas: How many of them run all the time.
        region: Where they run.
        credentials: The user's, of google-auth.
        endpoint: The base URL of the Cloud Billing API if it is not Google's.
    """
    amounts = _amounts(machine_spec, replicas * HOURS_A_MONTH)
    if not amounts:
        return None
    found: list[float | None] = []

    def ask() -> None:
        try:
            skus = _read_skus(credentials, (endpoint or _ENDPOINT).rstrip("/"))
            found.append(_total(amounts, skus, region))
        except Exception:  # noqa: BLE001 - the answer of a service that a deployment does not need
            found.append(None)

    # A thread, because no timeout of a request bounds name resolution, a new token and a slow answer together.
    thread = threading.Thread(target=ask, name="Cloud Billing Catalog", daemon=True)
    thread.start()
    thread.join(_SECONDS)
    return found[0] if found else None


def _amounts(machine_spec: Mapping[str, Any], hours: int) -> dict[str, float]:
    """What is used, by part, in the part's unit; empty for a machine whose parts are not known."""
    name = machine_spec["machineType"]
    machine = catalog.vertex_machine_type(name)
    if machine is None or name.startswith(_UNKNOWN_MACHINES):
        return {}
    series = name.partition("-")[0]
    amounts = {f"{series} core": hours * machine.vcpus, f"{series} ram": hours * machine.memory_gb}
    if accelerator := machine_spec.get("acceleratorType") or machine.accelerator:
        count = machine_spec.get("acceleratorCount") or machine.accelerator_count or 1
        amounts[accelerator.replace("_", " ").lower()] = hours * count
    return amounts


def _read_skus(credentials: Any, endpoint: str) -> Iterator[Mapping[str, Any]]:
    """The SKUs of Vertex AI, of all regions. Any exception of requests and google-auth, also for an answer ≥ 400."""
    from google.auth.transport.requests import AuthorizedSession

    deadline = time.monotonic() + _SECONDS
    query = {"currencyCode": CURRENCY, "pageSize": "5000", "fields": _FIELDS}
    with AuthorizedSession(credentials) as session:  # of its own: the target's is used by another thread
        while (left := deadline - time.monotonic()) > 0:
            url = f"{endpoint}/v1/services/{_SERVICE}/skus"
            response = session.request("GET", url, params=query, timeout=left, max_allowed_time=left)
            response.raise_for_status()
            page = response.json()
            yield from page.get("skus", ())
            if not page.get("nextPageToken"):
                return
            query["pageToken"] = page["nextPageToken"]
    raise TimeoutError


def _total(amounts: Mapping[str, float], skus: Iterable[Mapping[str, Any]], region: str) -> float | None:
    """The sum of what the amounts cost in a region; None unless each part has exactly one price."""
    prices: dict[str, set[float]] = {part: set() for part in amounts}
    for sku in skus:
        if sku["category"]["usageType"] != "OnDemand" or region not in sku.get("serviceRegions", ()):
            continue
        part, unit = _part(sku["description"])
        if part in amounts:
            prices[part].add(_cost(sku["pricingInfo"][-1]["pricingExpression"], amounts[part], unit))
    if any(len(costs) != 1 for costs in prices.values()):
        return None
    return sum(cost for costs in prices.values() for cost in costs) or None


def _part(description: str) -> tuple[str, str]:
    """The part that a SKU is the price of, as in `_amounts`, and its unit; empty for another SKU."""
    if prediction := _PREDICTION.fullmatch(description):
        if instance := _INSTANCE.fullmatch(prediction["part"]):
            part = instance["part"].lower()
            return f"{instance['series'].lower()} {part}", _UNITS[part]
        if gpu := _GPU.fullmatch(prediction["part"]):
            return gpu["name"].lower(), _UNITS["core"]
    return "", ""


def _cost(expression: Mapping[str, Any], amount: float, unit: str) -> float:
    """What an amount costs by the rates of its tiers. ValueError for another unit or currency."""
    if expression["usageUnit"] != unit:
        raise ValueError(expression["usageUnit"])
    rates = sorted(expression["tieredRates"], key=lambda rate: float(rate.get("startUsageAmount", 0)))
    starts = [float(rate.get("startUsageAmount", 0)) for rate in rates]
    cost = 0.0
    for rate, start, end in zip(rates, starts, [*starts[1:], amount], strict=True):
        price = rate["unitPrice"]
        if price["currencyCode"] != CURRENCY:
            raise ValueError(price["currencyCode"])
        used = max(0.0, min(amount, end) - start)
        cost += used * (int(price.get("units", 0)) + int(price.get("nanos", 0)) / 1e9)
    return cost
