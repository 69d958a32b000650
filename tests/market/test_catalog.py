import pytest
import yaml

from colony.cli.files import prices
from colony.market.catalog import Catalog
from jobs.errors import InputError

SIZES = "vCPUs,MemoryGiB"
GPU = "AcceleratorName,AcceleratorCount"
AWS = f"InstanceType,{GPU},{SIZES},GpuInfo,Price,SpotPrice,Region,AvailabilityZone,Arch"
NEBIUS = f"InstanceType,{GPU},{SIZES},Price,Region,GpuInfo,SpotPrice"
GCP = f"InstanceType,{SIZES},{GPU},GpuInfo,Region,AvailabilityZone,Price,SpotPrice"
H200_8 = "gpu-h200-sxm_8gpu-128vcpu-1600gb"
NC24 = "Standard_NC24ads_A100_v4"


def info(name, count, mib, total=None):
    gpu = {"Name": name, "Manufacturer": "X", "Count": count, "MemoryInfo": {"SizeInMiB": mib}}
    both = {"Gpus": [gpu], "TotalGpuMemoryInMiB": mib * count if total is None else total}
    return f'"{both!r}"'


def h100(price="55.04", gpu_info=None, count="8.0", region="us-east-1"):
    cell = info("H100", 8, 81920) if gpu_info is None else gpu_info
    return f"p5.48xlarge,H100,{count},192.0,2048.0,{cell},{price},,{region},use1-az2,x86_64"


@pytest.fixture
def folder(tmp_path):
    def write(name, header, *rows):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
        return tmp_path

    return write


def gpus(catalog):
    return [row for row in catalog.rows if row.accelerator]


@pytest.mark.parametrize(
    ("file", "header", "row", "expected"),
    [
        (
            "aws.csv",
            AWS,
            h100(),
            ("aws", "us-east-1", "use1-az2", "p5.48xlarge", "H100", 8, 192, 2048, 80, 55.04, None),
        ),
        (
            "nebius.csv",
            NEBIUS,
            f"{H200_8},H200,8,128,1600,28.00,eu-north1,{info('H200', 8, 144384)},11.60",
            ("nebius", "eu-north1", "", H200_8, "H200", 8, 128, 1600, 141, 28.0, 11.6),
        ),
        (
            "lambda.csv",
            NEBIUS,
            f"gpu_1x_a6000,A6000,1.0,14.0,100.0,1.09,europe-central-1,{info('A6000', 1, 49152)},",
            ("lambda", "europe-central-1", "", "gpu_1x_a6000", "A6000", 1, 14, 100, 48, 1.09, None),
        ),
        (
            "azure/vms.csv",
            AWS + ",Generation",
            f"{NC24},A100-80GB,1,24,220,{info('A100-80GB', 1, 81920)},3.673,,eastus,,x86_64,V2",
            ("azure", "eastus", "", NC24, "A100-80GB", 1, 24, 220, 80, 3.673, None),
        ),
    ],
)  # fmt: skip
def test_reads_the_columns_of_each_cloud_in_their_own_order(folder, file, header, row, expected):
    catalog = Catalog.load(folder(file, header, row))
    assert [tuple(row)[:11] for row in gpus(catalog)] == [expected]
    assert catalog.warnings == []


def test_adds_host_and_accelerator_rows_together_in_each_zone(folder):
    a100 = info("A100", 8, 40960)
    catalog = Catalog.load(
        folder(
            "gcp.csv",
            GCP,
            "a2-highgpu-8g,96.0,680.0,,,,us-central1,us-central1-a,5.91582,2.958",
            "a2-highgpu-8g,96.0,680.0,,,,us-central1,us-central1-b,5.91582,",
            f",,,A100,8.0,{a100},us-central1,us-central1-a,23.47126,12.46616",
            f",,,A100,8.0,{a100},us-central1,us-central1-b,23.47126,12.46616",
            f",,,A100,8.0,{a100},us-east1,us-east1-b,23.47126,12.46616",
        )
    )
    both = {row.zone: row for row in gpus(catalog)}
    assert both["us-central1-a"].price == 29.38708
    assert both["us-central1-a"].spot_price == 15.42416
    assert both["us-central1-b"].spot_price is None
    assert both["us-central1-a"][3:8] == ("a2-highgpu-8g", "A100", 8, 96, 680)
    assert len(both) == 2
    assert "1 rows of A100:8 name no machine" in str(catalog.warnings[0])


def test_a_host_that_is_sold_only_with_gpus_is_no_cpu_machine(folder):
    catalog = Catalog.load(
        folder("gcp.csv", GCP, "a2-highgpu-8g,96,680,,,,us-central1,us-central1-a,5.9,",
               "n1-standard-8,8,30,,,,us-central1,us-central1-a,0.38,")
    )  # fmt: skip
    machines = [row.instance_type for row in catalog.rows if row.cloud == "gcp"]
    assert [name for name in machines if not name.startswith("e2-")] == ["n1-standard-8"]


@pytest.mark.parametrize(
    ("accelerator", "mib", "says"),
    [
        ("H200", 81920, "H200 with 80 GiB, but it has 141 GiB"),
        ("B200", 81920, "B200 with 80 GiB, but it has 180 or 192 GiB"),
        ("GH200", 81920, "GH200 with 80 GiB, but it has 96 or 144 GiB"),
        ("H200", 80, "H200 with 80 GiB, but it has 141 GiB"),
    ],
)
def test_refuses_gpus_with_a_memory_they_do_not_have(folder, accelerator, mib, says):
    row = f"x,{accelerator},8,1,1,{info(accelerator, 8, mib)},10,,us-east-1,,x86_64"
    catalog = Catalog.load(folder("aws.csv", AWS, row))
    assert gpus(catalog) == []
    assert says in str(catalog.warnings[-1])
    assert catalog.warnings[-1].path.endswith("aws.csv:2:GpuInfo")


def test_a_size_that_is_all_gpus_together_refuses_the_row(folder):
    catalog = Catalog.load(folder("aws.csv", AWS, h100(gpu_info=info("H100", 8, 8 * 81920))))
    assert gpus(catalog) == []
    assert "H100 with 640 GiB, but it has 80 GiB" in str(catalog.warnings[0])


def test_a_share_of_a_gpu_may_have_its_share_of_the_memory(folder):
    row = f"Standard_NV6,A10,0.25,1,1,{info('A10', 1, 24576, 6144)},1,,us-east-1,,x86_64"
    catalog = Catalog.load(folder("azure.csv", AWS, row))
    assert len(gpus(catalog)) == 1
    assert catalog.warnings == []


@pytest.mark.parametrize(
    ("cell", "gib", "says"),
    [
        (info("H100", 8, 80), 80, "GPU memory of 80 MiB read as GiB"),
        (info("H100", 8, 81920, 81920), 80, "total GPU memory 81920 MiB is one GPU's"),
        (info("H100", 8, 81920, 9), 80, "total GPU memory 9 MiB is not 8 x 81920: read as 655360"),
        (info("H100", 8, -1), None, "GPU memory of -1 MiB is none"),
        (info("H100", 8, 81920).replace("81920", "1e999"), None, "GPU memory of inf MiB is none"),
        ("not python (", None, "GpuInfo cannot be read"),
        ("\"__import__('os').getcwd()\"", None, "GpuInfo cannot be read"),
    ],
)
def test_mends_what_is_plain_and_says_so(folder, cell, gib, says):
    catalog = Catalog.load(folder("aws.csv", AWS, h100(gpu_info=cell)))
    assert [row.gpu_memory_gib for row in gpus(catalog)] == [gib]
    assert says in str(catalog.warnings[0])
    assert ":2:GpuInfo" in str(catalog.warnings[0])


@pytest.mark.parametrize("price", ["", "nan", "0", "0.0"])
def test_an_unknown_price_is_none_and_not_zero(folder, price):
    catalog = Catalog.load(folder("aws.csv", AWS, h100(price)))
    assert [row.price for row in gpus(catalog)] == [None]
    assert len(catalog.warnings) == bool(price)


@pytest.mark.parametrize(
    ("row", "column"),
    [
        (h100("-1"), "Price"),
        (h100("inf"), "Price"),
        (h100(count="-8"), "AcceleratorCount"),
        (h100(count="nan"), "AcceleratorCount"),
        (h100(count=""), "AcceleratorCount"),
        (h100(region=""), "Region"),
    ],
)
def test_a_row_with_an_impossible_value_is_refused_aloud(folder, row, column):
    catalog = Catalog.load(folder("aws.csv", AWS, h100(), row))
    assert len(gpus(catalog)) == 1
    assert catalog.warnings[0].path.endswith(f"aws.csv:3:{column}")
    assert "the row is refused" in catalog.warnings[0].message


@pytest.mark.parametrize(
    ("text", "where", "says"),
    [
        (f"{AWS}\n{h100('cheap')}", "aws.csv:2:Price", "`cheap` is not a number"),
        (f"{AWS}\n{h100(count='eight')}", "aws.csv:2:AcceleratorCount", "is not a number"),
        (f"{AWS}\n{h100()},more", "aws.csv:2", "12 fields, but the header has 11"),
        (f"{AWS}\n{h100()}\np5,H100", "aws.csv:3", "2 fields"),
        ("InstanceType,Price\np5,1", "aws.csv:1", "lacks AcceleratorName, AcceleratorCount"),
        (f"{AWS},Price\n", "aws.csv:1", "names a column twice"),
        ("", "aws.csv:1", "lacks InstanceType"),
    ],
)
def test_a_file_of_the_wrong_shape_is_an_error_at_its_line(tmp_path, text, where, says):
    (tmp_path / "aws.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as error:
        Catalog.load(tmp_path)
    assert error.value.problems[0].path.endswith(where)
    assert says in error.value.problems[0].message
    assert error.value.exit_code == 2


def test_a_file_that_is_no_text_or_no_folder_is_an_error(tmp_path):
    (tmp_path / "aws.csv").write_bytes(b"\xff\xfe\x00InstanceType")
    for folder in (tmp_path, tmp_path / "absent", tmp_path / "aws.csv"):
        with pytest.raises(InputError):
            Catalog.load(folder)


def test_a_folder_without_a_catalogue_is_an_error(tmp_path):
    with pytest.raises(InputError, match="has no catalogue"):
        Catalog.load(tmp_path)


def test_a_file_that_is_no_cloud_is_left_out_aloud(folder):
    folder("aws.csv", AWS, h100())
    catalog = Catalog.load(folder("azur.csv", "whatever"))
    assert str(catalog.warnings[0]).endswith("`azur` is no cloud: not read (did you mean `azure`?)")


def test_an_unread_column_is_said(folder):
    catalog = Catalog.load(folder("aws.csv", AWS + ",SpotPrices", h100() + ",1"))
    assert "did you mean `SpotPrice`?" in str(catalog.warnings[0])
    assert len(gpus(catalog)) == 1


def test_names_are_canonical_whatever_the_catalogue_calls_them(folder):
    row = h100().replace(",H100,", ",H100-SXM,")
    catalog = Catalog.load(folder("aws.csv", AWS, row))
    assert catalog.accelerators == ["H100"]
    assert len(catalog.with_accelerator("h100")) == 1


def test_dates_come_from_the_folder_by_cloud_and_region(folder):
    folder("aws.csv", AWS, h100(), h100(region="us-east-2"))
    dates = {"clouds": {"aws": {"date": "2026-01-02", "regions": {"us-east-2": "2026-03-04"}}}}
    catalog = Catalog.load(folder("catalog.yaml", yaml.safe_dump(dates)))
    assert {row.region: row.date for row in gpus(catalog)} == {
        "us-east-1": "2026-01-02",
        "us-east-2": "2026-03-04",
    }


def test_prices_without_a_date_have_none(folder):
    catalog = Catalog.load(folder("aws.csv", AWS, h100()))
    assert [row.date for row in gpus(catalog)] == [""]


def test_showing_prices_says_how_old_these_are(folder, capsys):
    folder("aws.csv", AWS, h100())
    folder("lambda.csv", NEBIUS, f"x,H100,1,1,1,9,r,{info('H100', 1, 81920)},")
    dates = {"clouds": {"aws": {"date": "2020-01-02"}, "lambda": {"date": "2021-01-02"}}}
    where = folder("catalog.yaml", yaml.safe_dump(dates))
    assert prices("H100", "lambda", None, where, "text") == 0
    said = capsys.readouterr().out
    assert "1 price of 2021-01-02" in said
    assert "note: stale: prices of lambda are of 2021-01-02" in said
    assert "prices of aws" not in said


@pytest.mark.parametrize(
    "text", ["clouds: {aws: {date: soon}}", "clouds: 3", "[", "- a", "clouds: {aws: 2026-01-01}"]
)
def test_a_date_file_that_is_wrong_is_an_error(folder, text):
    folder("aws.csv", AWS, h100())
    with pytest.raises(InputError, match=r"catalog\.yaml"):
        Catalog.load(folder("catalog.yaml", text))


def test_price_of_a_machine_is_the_cheapest_zones(folder):
    rows = [h100("60").replace("use1-az2", "use1-az1"), h100("55.04"), h100("", region="us-east-2")]
    catalog = Catalog.load(folder("aws.csv", AWS, *rows))
    assert catalog.price_of("p5.48xlarge", "us-east-1") == 55.04
    assert catalog.price_of("p5.48xlarge", "us-east-1", spot=True) is None
    assert catalog.price_of("p5.48xlarge", "us-east-2") is None
    assert catalog.price_of("p5.48xlarge", "nowhere") is None
    assert catalog.price_of("m6i.large", "us-east-1") == 0.096


def test_the_users_price_of_a_cpu_machine_replaces_ours(folder):
    row = "m6i.large,,,2,8,,0.05,,us-east-1,use1-az1,x86_64"
    catalog = Catalog.load(folder("aws.csv", AWS, h100(), row))
    assert catalog.price_of("m6i.large", "us-east-1") == 0.05
    assert catalog.price_of("m6i.large", "us-west-2") == 0.096
