"""Which models section Windows reads: Microsoft, "INF Manufacturer section"."""

from __future__ import annotations

import pytest

from hil.package import Target, models

WINDOWS_11 = Target()
WINDOWS_10 = Target(build=19041)
SERVER = Target(product_type=3, suite_mask=0x10)


@pytest.mark.parametrize(
    ("decorations", "target", "picked"),
    [
        (["NTx86", "NTamd64"], WINDOWS_11, "NTamd64"),
        (["NTamd64", "NTamd64.6.1", "NTamd64.10.0"], WINDOWS_11, "NTamd64.10.0"),
        (["NTamd64.6.3", "NTamd64.11.0"], WINDOWS_11, "NTamd64.6.3"),
        (["NTamd64.10.0...19041", "NTamd64.10.0...22000"], WINDOWS_11, "NTamd64.10.0...22000"),
        (["NTamd64.10.0...19041", "NTamd64.10.0...22000"], WINDOWS_10, "NTamd64.10.0...19041"),
        (["NTamd64.10.0...22000"], WINDOWS_10, None),
        (["NTamd64.10.0", "NTamd64.10.0.1"], WINDOWS_11, "NTamd64.10.0.1"),
        (["NTamd64.10.0", "NTamd64.10.0.1"], SERVER, "NTamd64.10.0"),
        (["NTamd64.6.1.3.0x10", "NTamd64.6.1.3"], SERVER, "NTamd64.6.1.3.0x10"),
        (["NTarm64", "NTarm"], WINDOWS_11, None),
        (["NTarm64.10.0"], Target(architecture="arm64"), "NTarm64.10.0"),
        (["", "NT"], WINDOWS_11, None),
        (["", "NT"], Target(architecture="x86"), "NT"),
        (["ntAMD64"], WINDOWS_11, "ntAMD64"),
        (["NTamd64.x", "nonsense", "NTamd64.10.zero"], WINDOWS_11, None),
    ],
)
def test_decoration(decorations, target, picked):
    """The newest that is not above the running Windows, then the most specific; the architecture must be named on x64.

    A wrong pick installs the driver of another Windows, or says "no driver" where there is one.
    """
    assert models.pick_decoration(decorations, target) == picked


def test_models_of_several_manufacturers(inf):
    """Each manufacturer's section counts on its own, with descriptions and compatible ids.

    One INF serves many boards.
    """
    found = models.read(
        inf(
            "[Manufacturer]\n%A%=MA,NTamd64\n%B%=MB,NTx86,NTamd64.10.0\n%C%=MC\n"
            "[MA.NTamd64]\n%Card%=I1,PCI\\A,PCI\\A_C\n[MB.NTx86]\nold=I2,PCI\\B\n[MB.NTamd64.10.0]\nnew=I3,PCI\\B\n"
            "[MC]\nplain=I4,PCI\\C\n[Strings]\nA=Alpha\nB=Beta\nC=Gamma\nCard=Great card\n"
        ),
        WINDOWS_11,
    )
    assert [(m.manufacturer, m.description, m.ids, m.install_section) for m in found] == [
        ("Alpha", "Great card", ("PCI\\A", "PCI\\A_C"), "I1"),
        ("Beta", "new", ("PCI\\B",), "I3"),
    ]
