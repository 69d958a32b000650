import subprocess
import sys


def test_the_market_imports_nothing_heavy():
    heavy = ["pulumi", "grpc", "numpy", "pandas", "components.clusters.aws.cluster"]
    code = (
        "import sys, colony.market.place, colony.market.show\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
