import pytest
from recording import colony_args, record_program


def pytest_configure(config):
    # the SDK warns of its own alias when `pulumi_aws.ec2` is imported
    config.addinivalue_line("filterwarnings", "ignore:aws.ec2/encryptioncontrol:DeprecationWarning")


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
