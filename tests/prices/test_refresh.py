import json
from datetime import date
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from price_lists import (
    HUNT,
    asked,
    aws_list,
    azure_item,
    azure_page,
    hunt_zip,
    served,
    sku,
    sku_page,
)

from colony.market.age import age_notes
from colony.market.catalog import Catalog
from colony.market.refreshed import newest, prices_folder
from colony.prices.errors import Refused
from colony.prices.refresh import refresh
from colony.prices.web import Web
from jobs.errors import InputError, NotReady

TODAY = date(2026, 8, 20)
P5 = {"Instance Type": "p5.48xlarge", "vCPU": "192", "Memory": "2048 GiB", "GPU": "8",
      "PricePerUnit": "55.0"}  # fmt: skip
M6I = {"Instance Type": "m6i.large", "vCPU": "2", "Memory": "8 GiB", "PricePerUnit": "0.096"}
ND = "Standard_ND96isr_H100_v5"
HUNTED = [
    "p5.48xlarge,us-east-1,55.04,192,2048.0,8,H100,80.0,False,",
    "p5.48xlarge,us-east-1,25.04,192,2048.0,8,H100,80.0,True,",
    "m6i.large,us-east-1,0.096,2,8.0,0,,,False,",
]


def get(source, answers, **more):
    """`answers`: part of the address -> body, or (status, body, claimed length)."""

    def answer(path):
        for part, body in answers.items():
            if part in unquote(path):
                return body if isinstance(body, tuple) else (200, body, None)
        return 404, b"", None

    del asked[:]
    told = []
    with served(answer) as url:
        web = Web(told.append, pause=lambda seconds: None)
        done = refresh(source, told.append, TODAY, url=url, web=web, **more)
    return done, told


def hunt(*files, header=HUNT):
    return {"/version": b"20260820", "/20260820/catalog.zip": hunt_zip(*files, header=header)}


def azure(*items):
    return {ND: azure_page(*items), "api": azure_page(), "?": azure_page()}


A3 = [
    sku("A3 Instance Core", 0.03), sku("A3 Instance Ram", 0.0025, "GiBy.h"),
    sku("Nvidia H100 80GB GPU", 9.8), sku("Nvidia H100 80GB GPU", 4.0, use="Preemptible"),
    sku("A3 Instance Core", 0.01, use="Preemptible"),
    sku("A3 Instance Ram", 0.001, "GiBy.h", "Preemptible"),
]  # fmt: skip


def rows(cloud, kind):
    return [r for r in Catalog.load().rows if r.cloud == cloud and r.instance_type == kind]


def test_gpuhunts_catalogue_is_taken_whole_by_date():
    files = (
        ("aws.csv", HUNTED),
        ("gcp.csv", ["a2-highgpu-1g,us-central1-a,3.7,12,85,1,A100,40,False,"]),
    )
    lambdas = ("lambdalabs.csv", ["gpu_1x_a100,us-east-1,1.99,30,200,1,A100,80,False,"])
    done, told = get("gpuhunt", hunt(*files, lambdas))
    assert [kept.cloud for kept in done.kept] == ["aws", "gcp", "lambda"] and not done.refused
    assert done.kept[0].path == prices_folder() / "aws" / "2026-08-20.gpuhunt.csv"
    (p5,) = rows("aws", "p5.48xlarge")
    assert (p5.price, p5.spot_price, p5.gpu_memory_gib, p5.date) == (55.04, 25.04, 80, "2026-08-20")
    (a2,) = rows("gcp", "a2-highgpu-1g")
    assert (a2.region, a2.zone, a2.accelerator) == ("us-central1", "us-central1-a", "A100")
    assert rows("lambda", "gpu_1x_a100")[0].accelerator == "A100-80GB"
    assert rows("azure", ND), "clouds that were not refreshed are the starter's"
    assert any("20260820" in line for line in told)


def test_the_price_list_of_aws_is_read_as_it_comes():
    windows = {**P5, "Operating System": "Windows", "PricePerUnit": "99"}
    done, _ = get("aws", {"us-east-1/": aws_list(P5, M6I, windows)}, regions=["us-east-1"])
    assert not done.refused
    assert [(r.price, r.accelerator, r.gpus) for r in rows("aws", "p5.48xlarge")] == [
        (55, "H100", 8)
    ]
    assert rows("aws", "m6i.large")[0].price == 0.096


def test_spot_prices_of_aws_are_those_of_each_zone(monkeypatch):
    from colony.prices import aws

    class Ec2:
        def get_paginator(self, name):
            assert name == "describe_spot_price_history"
            return self

        def paginate(self, **asked):
            assert asked["InstanceTypes"] == ["p5.48xlarge"]
            both = [("us-east-1a", "21.5"), ("us-east-1b", "20")]
            made = [{"InstanceType": "p5.48xlarge", "AvailabilityZone": zone, "SpotPrice": price}
                    for zone, price in both]  # fmt: skip
            return [{"SpotPriceHistory": made}]

    monkeypatch.setattr(aws, "_boto", lambda region: Ec2())
    get("aws", {"us-east-1/": aws_list(P5)}, regions=["us-east-1"])
    found = {r.zone: (r.price, r.spot_price) for r in rows("aws", "p5.48xlarge")}
    assert found == {"": (55, None), "us-east-1a": (55, 21.5), "us-east-1b": (55, 20)}


def test_azures_pages_are_followed_on_its_own_host():
    spot = azure_item(ND, 40, skuName=f"{ND} Spot", meterName=f"{ND} Spot")
    first = azure_page(azure_item(ND, 98.32), more=f"https://elsewhere.example/x?$skip=100&{ND}")
    second = azure_page(spot, azure_item(ND, 150, productName="Virtual Machines Windows"))
    done, _ = get("azure", {"$skip=100": second, ND: first, "?": azure_page()})
    assert not done.refused
    assert [(r.price, r.spot_price) for r in rows("azure", ND)] == [(98.32, 40)]


def test_a_machine_of_gcp_costs_what_its_parts_cost(monkeypatch):
    monkeypatch.setenv("GOOGLE_API_KEY", "canary")
    first, second = sku_page(*A3[:3], more="next"), sku_page(*A3[3:])
    done, _ = get("gcp", {"pageToken=next": second, "pageToken=": first})
    assert not done.refused
    (a3,) = rows("gcp", "a3-highgpu-4g")
    assert a3.price == pytest.approx(104 * 0.03 + 936 * 0.0025 + 4 * 9.8)
    assert a3.spot_price == pytest.approx(104 * 0.01 + 936 * 0.001 + 4 * 4.0)
    assert not rows("gcp", "a3-highgpu-8g"), "the price of its local disks is not known"
    assert all("canary" not in path for path, _ in asked)
    assert all(headers["X-Goog-Api-Key"] == "canary" for _, headers in asked)


def test_gcp_without_a_key_is_not_asked():
    with pytest.raises(NotReady, match="GOOGLE_API_KEY"):
        get("gcp", {})
    assert not asked


def cut(body, source):
    return {
        "zip": lambda: {"/version": b"v", "catalog.zip": (200, body[:-40], None)},
        "length": lambda: {"/version": b"v", "catalog.zip": (200, body[:-9], len(body))},
    }[source]()


TRUNCATED = {
    "gpuhunt: an archive without its end": ("gpuhunt", cut(hunt_zip(("aws.csv", HUNTED)), "zip")),
    "gpuhunt: fewer bytes": ("gpuhunt", cut(hunt_zip(("aws.csv", HUNTED)), "length")),
    "gpuhunt: a row": ("gpuhunt", hunt(("aws.csv", [HUNTED[0], "p5.48xlarge,us-east-1,55"]))),
    "aws: fewer bytes": ("aws", {"us-east-1/": (200, aws_list(P5, M6I), 10**6)}),
    "aws: a row": ("aws", {"us-east-1/": aws_list(P5, M6I, M6I)[:-30]}),
    "azure: fewer bytes": ("azure", {"?": (200, azure_page(azure_item(ND, 98)), 10**6)}),
    "azure: half a JSON": ("azure", {"?": azure_page(azure_item(ND, 98))[:-30]}),
    "gcp: fewer bytes": ("gcp", {"?": (200, sku_page(*A3), 10**6)}),
    "gcp: half a JSON": ("gcp", {"?": sku_page(*A3)[:-30]}),
}
CHANGED = {
    "gpuhunt": ("gpuhunt", hunt(("aws.csv", [HUNTED[0].replace("55.04", "0.01529")])),
                r"0\.000278 times"),
    "aws": ("aws", {"us-east-1/": aws_list({**P5, "Unit": "Secs"})}, "`Secs`, not by `Hrs`"),
    "aws, unsaid": ("aws", {"us-east-1/": aws_list({**P5, "PricePerUnit": "0.0153"})}, "times"),
    "azure": ("azure", azure(azure_item(ND, 0.0273, unitOfMeasure="1 Second")), "`1 Second`"),
    "azure, currency": ("azure", azure(azure_item(ND, 98, currencyCode="EUR")), "`EUR`"),
    "gcp": ("gcp", {"?": sku_page(sku("A3 Instance Core", 0.00001, "s"))}, "`s`, not by `h`"),
}  # fmt: skip
FORMATS = {
    "gpuhunt": ("gpuhunt", hunt(("aws.csv", HUNTED), header=HUNT.replace("price", "cost"))),
    "aws": ("aws", {"us-east-1/": aws_list(P5).replace(b"PricePerUnit", b"Cost")}),
    "azure": ("azure", {"?": b'{"Values": []}'}),
    "gcp": ("gcp", {"?": b'{"items": []}'}),
}


@pytest.fixture
def old(monkeypatch):
    """A catalogue of each source from before, and what it holds."""
    monkeypatch.setenv("GOOGLE_API_KEY", "canary")
    for cloud in ("aws", "azure", "gcp"):
        folder = prices_folder() / cloud
        folder.mkdir(parents=True)
        starter = [r for r in Catalog.load().rows if r.cloud == cloud and r.price and r.gpus == 8]
        text = "InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,Price,Region\n"
        text += "".join(
            f"{r.instance_type},{r.accelerator},{r.gpus},{r.cpus},{r.memory_gib},{r.price},{r.region}\n"
            for r in starter
        )
        (folder / f"2026-08-01.{cloud}.csv").write_text(text, encoding="utf-8")
    return everything()


def everything():
    return {str(p): p.read_bytes() for p in prices_folder().rglob("*") if p.is_file()}


def refused(source, answers, **more):
    try:
        done, _ = get(source, answers, **more)
    except Refused as error:
        return str(error)
    assert not done.kept
    return "\n".join(done.refused)


@pytest.mark.parametrize(("source", "answers"), TRUNCATED.values(), ids=TRUNCATED)
def test_what_was_cut_off_is_refused_and_the_old_prices_stay(old, source, answers):
    more = {"regions": ["us-east-1"]} if source == "aws" else {}
    said = refused(source, answers, **more)
    assert "cut off" in said or "without its end" in said
    assert everything() == old


@pytest.mark.parametrize(("source", "answers", "said"), CHANGED.values(), ids=CHANGED)
def test_another_unit_is_refused_and_the_old_prices_stay(old, source, answers, said):
    import re

    more = {"regions": ["us-east-1"]} if source == "aws" else {}
    assert re.search(said, refused(source, answers, **more))
    assert everything() == old


@pytest.mark.parametrize(("source", "answers"), FORMATS.values(), ids=FORMATS)
def test_another_format_is_refused_and_the_old_prices_stay(old, source, answers):
    more = {"regions": ["us-east-1"]} if source == "aws" else {}
    assert "the format has changed" in refused(source, answers, **more)
    assert everything() == old


def test_much_less_than_last_time_is_taken_for_cut_off():
    many = [f"g5.{n}xlarge,us-east-1,{n},4,16,1,A10G,24,False," for n in range(1, 40)]
    get("gpuhunt", hunt(("aws.csv", many)))
    before = everything()
    done, _ = get("gpuhunt", hunt(("aws.csv", many[:10])))
    assert "10 rows, and there were 39" in done.refused[0]
    assert everything() == before


def test_a_cloud_that_is_refused_keeps_its_prices_and_the_others_get_theirs():
    bad = ["a2-highgpu-1g,us-central1-a,0.0001,12,85,1,A100,40,False,"]
    done, _ = get("gpuhunt", hunt(("aws.csv", HUNTED), ("azure.csv", []), ("unheard.csv", HUNTED),
                                  ("gcp.csv", bad * 1)))  # fmt: skip
    assert [kept.cloud for kept in done.kept] == ["aws"]
    assert [text.partition(":")[0] for text in done.refused] == ["gcp", "unheard"]


def test_a_busy_server_is_asked_again_and_an_error_is_told():
    answers = iter([(503, b"", None), (429, b"", None), (200, b"v1", None)])
    with served(lambda path: next(answers)) as url:
        pauses = []
        assert Web(print, pause=pauses.append).read(f"{url}/x") == b"v1"
    assert pauses == sorted(pauses) and len(pauses) == 2
    with served(lambda path: (403, b"", None)) as url:
        with pytest.raises(Refused, match="403"):
            Web(print).read(f"{url}/x?secret=1")


def test_nothing_is_left_half_written(monkeypatch):
    from colony.prices import refresh as module

    get("gpuhunt", hunt(("aws.csv", HUNTED)))
    before = everything()

    def dies(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(module.os, "replace", dies)
    with pytest.raises(KeyboardInterrupt):
        get("gpuhunt", hunt(("aws.csv", [HUNTED[0].replace("55.04", "50")])))
    assert everything() == before


def test_the_newest_day_counts_and_then_the_clouds_own_list():
    folder = prices_folder() / "aws"
    folder.mkdir(parents=True)
    for name in ("2026-08-19.aws.csv", "2026-08-20.gpuhunt.csv", "2026-08-20.aws.csv",
                 "2026-08-21.csv", ".2026-08-22.aws.csv.77"):  # fmt: skip
        (folder / name).touch()
    assert newest() == {"aws": (folder / "2026-08-20.aws.csv", "2026-08-20")}


def test_refreshed_prices_grow_old_too():
    get("gpuhunt", hunt(("aws.csv", HUNTED)))
    seen = [(row.cloud, row.date) for row in rows("aws", "p5.48xlarge")]
    assert not list(age_notes(seen, date(2026, 9, 1)))
    assert list(age_notes(seen, date(2026, 10, 1))) == [
        "stale: prices of aws are of 2026-08-20, 42 days old"
    ]


def test_a_kept_file_that_is_broken_is_refused_aloud_and_can_be_replaced():
    folder = prices_folder() / "aws"
    folder.mkdir(parents=True)
    (folder / "2026-08-19.gpuhunt.csv").write_text("InstanceType,Price\n", encoding="utf-8")
    with pytest.raises(InputError, match="lacks"):
        Catalog.load()
    done, _ = get("gpuhunt", hunt(("aws.csv", HUNTED)))
    assert not done.refused and rows("aws", "p5.48xlarge")


def test_an_unknown_source_is_refused_with_a_near_match():
    with pytest.raises(InputError, match="did you mean `gpuhunt`"):
        get("gpuhnt", {})


def test_the_command_says_what_it_took_and_ends_with_1_if_any_was_refused(capsys):
    from colony.cli.prices import refresh as command

    files = hunt(("aws.csv", HUNTED), ("unheard.csv", HUNTED))
    with served(
        lambda path: (200, files[path], None) if path in files else (404, b"", None)
    ) as url:
        assert command("gpuhunt", [], url, "json") == 1
    told = json.loads(capsys.readouterr().out)
    assert [kept["cloud"] for kept in told["kept"]] == ["aws"]
    assert "unheard" in told["refused"][0]


def test_azure_is_asked_for_one_size_at_a_time():
    get("azure", azure(azure_item(ND, 98)))
    filters = [parse_qs(urlsplit(path).query)["$filter"][0] for path, _ in asked]
    assert len(filters) == len(set(filters)) > 20
    assert all("armSkuName eq '" in text for text in filters)
