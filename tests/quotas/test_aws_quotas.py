import boto3
import pytest
from botocore.stub import Stubber

from colony.market.zones import Cell
from colony.quotas import aws, lookup


class Session:
    """Of one stubbed client."""

    def __init__(self, *answers):
        self._client = boto3.client(
            "service-quotas", region_name="us-east-1", aws_access_key_id="a",
            aws_secret_access_key="b",
        )  # fmt: skip
        stub = Stubber(self._client)
        for call, code, value in answers:
            if value is None:
                stub.add_client_error(call, "NoSuchResourceException")
            else:
                asked = {"ServiceCode": "ec2", "QuotaCode": code}
                stub.add_response(call, {"Quota": {"Value": value}}, asked)
        stub.activate()

    def client(self, _):
        return self._client


def cell(instance_type, spot=False, cloud="aws"):
    return Cell(cloud, "us-east-1", "", instance_type, "", spot)


@pytest.mark.parametrize(
    ("instance_type", "spot", "code"),
    [
        ("p5.48xlarge", False, "L-417A185B"),
        ("p4d.24xlarge", True, "L-7212CCBC"),
        ("g6.xlarge", False, "L-DB2E81BA"),
        ("m6i.large", False, "L-1216C47A"),
    ],
)
def test_each_family_has_a_quota_of_its_own(instance_type, spot, code):
    found = aws.lookup(cell(instance_type, spot), Session(("get_service_quota", code, 192.0)))
    assert (found.limit, found.unit) == (192.0, "vCPUs")
    assert found.source.startswith("https://")


def test_the_default_stands_where_the_account_has_no_value_of_its_own():
    session = Session(
        ("get_service_quota", "L-417A185B", None),
        ("get_aws_default_service_quota", "L-417A185B", 0.0),
    )
    assert aws.lookup(cell("p5.48xlarge"), session).limit == 0.0


def test_what_nobody_may_ask_is_unknown():
    session = Session(
        ("get_service_quota", "", None),
        ("get_aws_default_service_quota", "", None),
    )
    assert aws.lookup(cell("p5.48xlarge"), session) is None
    assert aws.lookup(cell("x9y.large"), session) is None
    assert lookup(cell("a2", cloud="gcp")) is None
