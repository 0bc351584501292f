"""The price of a deployment. A real HTTP server answers as the Cloud Billing Catalog API; its prices are made up."""

from __future__ import annotations

import json
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import google.auth
import pytest
from google.oauth2.credentials import Credentials
from resource_lines import Lines

from aip_magics import settings
from aip_magics.client.vertex.version import VertexVersion
from aip_magics.events import Note, StepFinished
from aip_magics.spec import AcceleratorConfig, AutoScaling
from aip_magics.targets import choose, local
from aip_magics.targets.vertex import price
from aip_magics.targets.vertex.target import VertexTarget

IMAGE = "us-docker.pkg.dev/vertex-ai/prediction/sklearn-cpu.1-6:latest"
N1 = "Vertex AI: Online/Batch Prediction N1 Predefined Instance"
HOURS = "billed until it is undeployed (%aip_undeploy): at least 1 × n1-standard-2, 730 node hours a month"
PRICED = f"{HOURS}, about 128 USD (Cloud Billing Catalog, us-central1)"


def sku(
    description: str,
    dollars: float,
    region: str = "us-central1",
    *,
    unit: str = "",
    usage: str = "OnDemand",
    currency: str = "USD",
    first: float = 0,
) -> dict[str, Any]:
    """A SKU as `services.skus.list` describes it; the first units of the month may be free."""
    rates = [(0.0, 0.0), (first, dollars)] if first else [(0.0, dollars)]
    tiers = [
        {
            "startUsageAmount": start,
            "unitPrice": {"currencyCode": currency, "units": str(int(rate)), "nanos": round(rate % 1 * 1e9)},
        }
        for start, rate in rates
    ]
    unit = unit or ("GiBy.h" if " ram " in description.lower() else "h")
    return {
        "description": description,
        "category": {"serviceDisplayName": "Vertex AI", "resourceFamily": "ApplicationServices", "usageType": usage},
        "serviceRegions": [region],
        "pricingInfo": [
            {
                "effectiveTime": "2026-11-28T00:00:00Z",
                "pricingExpression": {"usageUnit": unit, "displayQuantity": 1, "tieredRates": tiers},
            }
        ],
        "serviceProviderName": "Google",
    }


CORE, RAM = sku(f"{N1} Core running in Iowa", 0.05), sku(f"{N1} Ram running in Iowa", 0.01)
CATALOG = [
    sku("Vertex AI: Online/Batch Prediction N1 Custom Instance Core running in Iowa", 9),
    sku("Vertex AI: Online/Batch Prediction management fee on N1 Instance Core in Iowa", 9),
    sku("Vertex AI: Online/Batch Prediction management fee on N1 Instance RAM in Iowa", 9),
    sku("Vertex AI: Training/Pipelines on N1 Predefined Instance Core running in Iowa", 9),
    sku("Vertex AI: Online/Batch Prediction Spot Preemptible N1 Predefined Instance Core running in Iowa", 9),
    sku(f"{N1} Core running in Iowa", 9, usage="Preemptible"),
    sku(f"{N1} Core running in Iowa", 9, usage="Commit1Yr"),
    sku(f"{N1} Core running in Netherlands", 0.06, "europe-west4"),
    sku(f"{N1} Ram running in Netherlands", 0.02, "europe-west4"),
    CORE,
    RAM,
    sku("Vertex AI: Online/Batch Prediction E2 Instance Core running in Iowa", 0.02),
    sku("Vertex AI: Online/Batch Prediction N2D AMD Instance Core running in Iowa", 1.25),
    sku("Vertex AI: Online/Batch Prediction N2D AMD Instance Ram running in Iowa", 0.25),
    sku("Vertex AI: Online/Batch Prediction G2 Instance Core running in Iowa", 0.03),
    sku("Vertex AI: Online/Batch Prediction G2 Instance Ram running in Iowa", 0.003),
    sku("Vertex AI: Online/Batch Prediction Nvidia L4 GPU running in Iowa", 0.5),
    sku("Vertex AI: Online/Batch Prediction Nvidia Tesla T4 GPU running in Iowa", 0.4),
]


class BillingServer(ThreadingHTTPServer):
    """Serves the SKUs in pages of four; `answer` and `pause` take the place of that."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.skus = CATALOG
        self.answer: tuple[int, bytes] | None = None
        self.pause: Callable[[], object] = lambda: None
        self.asked: list[dict[str, str]] = []
        self.token = "the-token"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: BillingServer

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        asked = dict(urllib.parse.parse_qsl(query))
        self.server.asked.append(asked)
        start = int(asked.get("pageToken", 0))
        page: dict[str, Any] = {"skus": self.server.skus[start : start + 4]}
        if start + 4 < len(self.server.skus):
            page["nextPageToken"] = str(start + 4)
        code, body = self.server.answer or (200, json.dumps(page).encode())
        if path != "/v1/services/C7E2-9256-1C43/skus" or self.headers["Authorization"] != f"Bearer {self.server.token}":
            code, body = 401, b""
        self.send_response(code)
        self.end_headers()
        self.server.pause()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def billing(monkeypatch: pytest.MonkeyPatch) -> Iterator[BillingServer]:
    """The API, and credentials that it accepts."""
    with BillingServer() as server:
        monkeypatch.setattr(google.auth, "default", lambda **_: (Credentials(token=server.token), None))  # type: ignore[no-untyped-call]
        monkeypatch.setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDBILLING", f"{server.url}/")
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()
        for each in threading.enumerate():
            if each.name == "Cloud Billing Catalog":
                each.join(20)


def cost_note(region: str | None = None, **fields: Any) -> str:
    found = settings.resolve(target="vertex", project="my-project", region=region)
    return choose(found).cost_note(VertexVersion(**{"name": "v1", "machineType": "n1-standard-2", **fields}))


def test_cost_note_has_the_price_of_the_catalog(billing: BillingServer) -> None:
    # 730 h × (2 vCPU × 0.05 + 7.5 GiB × 0.01), of five pages with prices of other regions, kinds and machines.
    assert cost_note() == PRICED
    assert len(billing.asked) == 5
    assert billing.asked[0]["currencyCode"] == "USD"
    assert cost_note("europe-west4").endswith("about 197 USD (Cloud Billing Catalog, europe-west4)")
    three = cost_note(autoScaling=AutoScaling(minNodes=3))
    assert three.endswith(
        "at least 3 × n1-standard-2, 2190 node hours a month, about 383 USD (Cloud Billing Catalog, us-central1)"
    )


@pytest.mark.parametrize(
    ("fields", "dollars"),
    [
        ({"machineType": "n2d-standard-2"}, 730 * (2 * 1.25 + 8 * 0.25)),
        ({"acceleratorConfig": AcceleratorConfig(type="NVIDIA_TESLA_T4", count=2)}, 730 * (0.175 + 2 * 0.4)),
        ({"machineType": "g2-standard-24"}, 730 * (24 * 0.03 + 96 * 0.003 + 2 * 0.5)),  # its accelerators are built in
    ],
    ids=["another series", "accelerators", "built-in accelerators"],
)
def test_cost_note_prices_the_parts_of_the_machine(
    billing: BillingServer, fields: dict[str, Any], dollars: float
) -> None:
    assert f", about {dollars:.0f} USD" in cost_note(**fields)


def test_cost_note_follows_the_tiers_of_a_price(billing: BillingServer) -> None:
    billing.skus = [sku(f"{N1} Core running in Iowa", 0.05, first=460), RAM]
    assert f", about {(1460 - 460) * 0.05 + 730 * 0.075:.0f} USD" in cost_note()


@pytest.mark.parametrize(
    "fields",
    [
        {"machineType": "e2-standard-2"},  # the catalog has no price of its memory
        {"machineType": "a3-megagpu-8g"},
        {"machineType": "x9-standard-2"},
        {"acceleratorConfig": AcceleratorConfig(type="NVIDIA_TESLA_P4", count=1)},
    ],
    ids=["no memory", "unknown SKUs", "unknown machine", "no accelerator"],
)
def test_cost_note_has_node_hours_where_a_part_has_no_price(billing: BillingServer, fields: dict[str, Any]) -> None:
    assert cost_note(**fields).endswith("730 node hours a month")


@pytest.mark.parametrize(
    "skus",
    [
        [],
        [CORE],
        [CORE, sku(f"{N1} Core running in Americas", 0.04), RAM],
        [CORE, sku(f"{N1} Ram running in Iowa", 0.01, currency="EUR")],
        [CORE, sku(f"{N1} Ram running in Iowa", 0.01, unit="GiBy.mo")],
        [sku(f"{N1} Core running in Iowa", 0), sku(f"{N1} Ram running in Iowa", 0)],
        [{"description": f"{N1} Core running in Iowa"}],
    ],
    ids=["none", "no memory", "two prices", "another currency", "another unit", "free", "no fields"],
)
def test_cost_note_has_node_hours_for_a_catalog_without_one_price(
    billing: BillingServer, skus: list[dict[str, Any]]
) -> None:
    billing.skus = skus
    assert cost_note() == HOURS
    assert billing.asked


@pytest.mark.parametrize(
    "answer",
    [(403, b'{"error": {"code": 403, "status": "PERMISSION_DENIED"}}'), (502, b""), (200, b'{"skus": ['), (200, b"[]")],
    ids=["403", "502", "broken JSON", "no object"],
)
def test_cost_note_has_node_hours_for_an_error(billing: BillingServer, answer: tuple[int, bytes]) -> None:
    billing.answer = answer
    assert cost_note() == HOURS
    assert billing.asked


def test_cost_note_does_not_wait_for_a_slow_answer(billing: BillingServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(price, "_SECONDS", 0.2)
    billing.skus = [CORE, RAM]
    noted = threading.Event()
    billing.pause = lambda: noted.wait(20)  # the answer would be right, but late
    assert cost_note() == HOURS
    noted.set()


def test_cost_note_needs_credentials_and_googles_own_endpoint(
    billing: BillingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(**_: Any) -> None:
        raise google.auth.exceptions.DefaultCredentialsError("none")

    with monkeypatch.context() as patch:
        patch.setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM", billing.url)
        assert cost_note() == HOURS
    with monkeypatch.context() as patch:
        patch.setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM", "local")
        assert cost_note().startswith("in the cloud, at least 1 × n1-standard-2 would be billed")
    with monkeypatch.context() as patch:
        patch.setattr(google.auth, "default", none)
        assert cost_note() == HOURS
    assert billing.asked == []
    assert cost_note() == PRICED


def test_deploy_notes_the_price_in_the_step_that_creates_the_version(
    billing: BillingServer, embedded: Path, iris_export: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = local.running(embedded) or local.start(embedded)
    billing.token = server.token
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "those of the fixture")
    monkeypatch.setattr(VertexTarget, "endpoint", server.url)  # in the place of Google's, which no setting replaces
    lines = Lines(embedded)
    line = f"deploy --model iris --origin {iris_export} --target vertex --project my-project"
    line += f" --storage-endpoint {server.url} --image {IMAGE} --skip V03 --async"
    lines(f"{line} --dry-run")
    assert billing.asked == []
    lines(line)
    events = [event for event in lines.face.events if event.step == "version"]
    assert [event.text for event in events if isinstance(event, Note)] == [PRICED]
    assert isinstance(events[-1], StepFinished)
