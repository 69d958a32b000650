"""Answers of the four price lists, in the forms that they have, for tests to serve and to spoil."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from loopback import running

HUNT = "instance_name,location,price,cpu,memory,gpu_count,gpu_name,gpu_memory,spot,disk_size"
AWS_HEADER = (
    "SKU,TermType,Unit,PricePerUnit,Currency,Instance Type,vCPU,Memory,Operating System,Tenancy,"
    "CapacityStatus,Pre Installed S/W,MarketOption,GPU,Region Code"
).split(",")


@contextmanager
def served(answer: Callable[[str], tuple[int, bytes, int | None]]) -> Iterator[str]:
    """`answer` gives status, body and the length that is claimed (None = the real one)."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, dict(self.headers)))
            status, body, length = answer(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body) if length is None else length))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with running(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as address:
        yield address


asked: list[tuple[str, dict[str, str]]] = []


def hunt_zip(*files: tuple[str, list[str]], header: str = HUNT) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, rows in files:
            archive.writestr(name, "\n".join([header, *rows]) + "\n")
    return made.getvalue()


def aws_list(*rows: dict[str, str], region: str = "us-east-1") -> bytes:
    usual = {
        "SKU": "X", "TermType": "OnDemand", "Unit": "Hrs", "Currency": "USD",
        "Operating System": "Linux", "Tenancy": "Shared", "CapacityStatus": "Used",
        "Pre Installed S/W": "NA", "MarketOption": "OnDemand", "GPU": "", "Region Code": region,
    }  # fmt: skip
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    for line in ("FormatVersion", "Disclaimer", "Publication Date", "Version", "OfferCode"):
        writer.writerow([line, "x"])
    writer.writerow(AWS_HEADER)
    for row in rows:
        writer.writerow([{**usual, **row}[name] for name in AWS_HEADER])
    return text.getvalue().encode()


def azure_item(size: str, price: float, **other: object) -> dict[str, object]:
    return {
        "currencyCode": "USD", "retailPrice": price, "armRegionName": "eastus",
        "meterName": size, "productName": "Virtual Machines NDv5", "skuName": size,
        "unitOfMeasure": "1 Hour", "armSkuName": size, "type": "Consumption", **other,
    }  # fmt: skip


def azure_page(*items: dict[str, object], more: str | None = None) -> bytes:
    return json.dumps({"Items": items, "NextPageLink": more, "Count": len(items)}).encode()


def sku(what: str, usd: float, unit: str = "h", use: str = "OnDemand") -> dict[str, object]:
    units, nanos = divmod(round(usd * 1e9), 10**9)
    prefix = "Spot Preemptible " if use == "Preemptible" else ""
    price = {"currencyCode": "USD", "units": str(units), "nanos": nanos}
    rates = [{"startUsageAmount": 0, "unitPrice": price}]
    return {
        "description": f"{prefix}{what} running in Americas",
        "category": {"resourceFamily": "Compute", "usageType": use},
        "serviceRegions": ["us-central1"],
        "pricingInfo": [{"pricingExpression": {"usageUnit": unit, "tieredRates": rates}}],
    }


def sku_page(*skus: dict[str, object], more: str = "") -> bytes:
    return json.dumps({"skus": skus, "nextPageToken": more}).encode()
