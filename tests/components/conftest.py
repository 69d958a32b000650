import pytest
from recording import colony_args, record_program


def pytest_configure(config):
    # the SDKs warn of aliases of their own when their modules are imported
    config.addinivalue_line("filterwarnings", "ignore:aws.ec2/encryptioncontrol:DeprecationWarning")
    config.addinivalue_line("filterwarnings", r"ignore::DeprecationWarning:pulumi_gcp\..*")


@pytest.fixture(scope="session")
def record():
    """Registers a colony and gives back what the engine would have been told: not to be changed,
    for the same colony is recorded once."""
    from components.colony import Colony

    known = {}

    def run(**changes):
        key = repr(changes)
        if key not in known:
            args = colony_args(**changes)
            known[key] = record_program(lambda: Colony("demo", args))
        return known[key]

    return run
