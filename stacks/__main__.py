"""`pulumi up -s NAME`: builds what the stack config says."""

from components.program import build

build()
