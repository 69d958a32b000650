"""Which lines of a kernel's log say that the machine is at fault."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from colony.agent.faults import Fault, is_hardware, read_fault

RULES = Path(__file__).parents[2] / "charts" / "observability" / "rules.yaml"
XID = "NVRM: Xid (PCI:0000:4e:00): {}, pid='<unknown>', name=<unknown>, said the driver"
SXID = "nvidia-nvswitch3: SXid (PCI:0000:4e:00.0): {}, Non-fatal, Link 32 egress"
HARDWARE = """
48 56 57 58 62 63 64 68 69 70 71 72 73 74 75 76 77 79 80 81 82 83 84 85 86 88 89 92 94 95 96 97 98
99 100 101 102 103 104 105 110 111 112 113 114 115 116 117 118 119 120 122 123 124 125"""
HARMLESS = """
11012 11021 11022 11023 12021 12023 15008 15011 19049 19055 19057 19059 19062 19065 19068 19071
22013 24001 24002 24003"""


@pytest.mark.parametrize(
    "line, name, device, hardware",
    [
        (
            "NVRM: Xid (PCI:0000:4e:00): 79, pid=1234, GPU has fallen off the bus.",
            "xid-79", "PCI:0000:4e:00", True,
        ),
        (XID.format(13), "xid-13", "PCI:0000:4e:00", False),
        (XID.format(31), "xid-31", "PCI:0000:4e:00", False),
        (XID.format(43), "xid-43", "PCI:0000:4e:00", False),
        (XID.format(45), "xid-45", "PCI:0000:4e:00", False),
        ("NVRM: Xid (0000:03:00): 48, DBE", "xid-48", "0000:03:00", True),
        ("NVRM: Xid (PCI:0000:01:00 GPU-I:05): 94, x", "xid-94", "PCI:0000:01:00 GPU-I:05", True),
        ("[ 12.5] NVRM: Xid (PCI:0000:01:00): 119, x", "xid-119", "PCI:0000:01:00", True),
        (SXID.format(12028), "sxid-12028", "PCI:0000:4e:00.0", True),
        (SXID.format(12023), "sxid-12023", "PCI:0000:4e:00.0", False),
        (SXID.format(20034), "sxid-20034", "PCI:0000:4e:00.0", True),
    ],
)  # fmt: skip
def test_the_vectors(line, name, device, hardware):
    fault = read_fault(line)
    assert (fault.name, fault.device) == (name, device)
    assert is_hardware(fault) is hardware
    assert not is_hardware(fault, {name})


@pytest.mark.parametrize(
    "line",
    [
        "", "NVRM: loading NVIDIA UNIX x86_64 Kernel Module", "NVRM: Xid (PCI:0000:4e:00): , x",
        "NVRM: Xid 79", "nvidia-peermem: registered", "audit: 79", "ext4: Xid (a): b",
    ],
)  # fmt: skip
def test_other_lines_name_no_fault(line):
    assert read_fault(line) is None


def test_every_code_is_judged_as_the_lists_say():
    xids = {code for code in range(1, 300) if is_hardware(Fault("xid", code, ""))}
    assert xids == set(map(int, HARDWARE.split()))
    harmless = {code for code in range(10000, 30000) if not is_hardware(Fault("sxid", code, ""))}
    assert harmless == set(map(int, HARMLESS.split()))


def test_the_alert_means_the_same_xids():
    text = RULES.read_text()
    [hardware] = set(re.findall(r'xid=~"([^"]+)"', text))
    alerts = {code for code in range(1, 300) if re.fullmatch(hardware, str(code))}
    assert alerts == set(map(int, HARDWARE.split()))
    assert hardware in re.findall(r'xid!~"([^"]+)"', text)
    assert yaml.safe_load(text)
