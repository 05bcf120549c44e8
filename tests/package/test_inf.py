"""The INF reader against the grammar that Microsoft documents."""

from __future__ import annotations

import codecs
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.errors import UsageError
from hil.package import Inf, Target, keywords, models
from hil.package import install as installs
from hil.package.check import check_inf
from hil.package.entries import _entry, _plain_entry
from hil.virtual.driver.inf_text import Release, inf_text

SAMPLE = inf_text(Release("2.1.0.0", date(2025, 9, 15)), 1000).encode("ascii")
MODEL = "[Manufacturer]\n%Us%=M,NTamd64\n[M.NTamd64]\nx=I,PCI\\A\n"
"""One model, whose install section is [I]."""


@pytest.mark.parametrize(
    ("mark", "encoding", "named"),
    [
        (b"", "cp1252", "cp1252"),
        (codecs.BOM_UTF8, "utf-8", "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le", "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be", "utf-16-be"),
        (b"", "utf-16-le", "utf-16-le"),
    ],
)
def test_every_encoding_of_windows_is_read(mark, encoding, named):
    """The same INF gives the same provider in each encoding that Windows takes.

    Vendors ship UTF-16 for translated strings, and ANSI from old build scripts.
    """
    text = '[Version]\r\nSignature="$Windows NT$"\r\nProvider=%Us%\r\n[Strings]\r\nUs="Gerät & Söhne"\r\n'
    inf = Inf.parse(mark + text.encode(encoding), "x.inf")
    assert (inf.provider, inf.encoding) == ("Gerät & Söhne", named)


def test_utf8_without_mark_is_ansi_as_it_is_to_windows(inf):
    """UTF-8 without a byte order mark is read as the ANSI code page.

    Windows shows such a device with broken letters; a reader that is kinder would hide the mistake.
    """
    assert inf('[Strings]\nUs="Gerät"', encoding="utf-8").provider == "GerÃ¤t"


@pytest.mark.parametrize(
    ("written", "values"),
    [
        ("a, b ,c", ("a", "b", "c")),
        ('"a, b" , c', ("a, b", "c")),
        ('"say ""yes"""', ('say "yes"',)),
        ('"a;b" ; a comment', ("a;b",)),
        ("a,,c", ("a", "", "c")),
        (r'"C:\x\" , b', ("C:\\x\\", "b")),
        ("a, \\\n   b, \\  ; and on\n c", ("a", "b", "c")),
        (r"HKR\a\b", (r"HKR\a\b",)),
        ("x = y", ("x = y",)),
        ('"open to the end ', ("open to the end",)),
        ('  " kept "  ', (" kept ",)),
        ("100%% sure", ("100% sure",)),
        ("%13%\\x.sys", ("%13%\\x.sys",)),
        ("%unknown%", ("%unknown%",)),
    ],
)
def test_values_of_an_entry(inf, written, values):
    """Commas, quotes, comments, continuation and percent signs mean what SetupAPI makes of them.

    A value cut at the wrong comma sends a driver a wrong registry value.
    """
    assert inf(f"[s]\nkey = {written}\n").section("s").lines[0].values == values


def test_sections_of_one_name_are_merged_and_keep_their_lines(inf):
    """Two sections of one name, in any case, are one; each entry remembers its own line.

    Findings must point to where a person has to look.
    """
    section = inf("[Copy]\na.sys\n[Other]\nx=1\n[COPY]\nb.sys\n").section("copy")
    assert [(line.values, line.number) for line in section.lines] == [(("a.sys",), 6), (("b.sys",), 10)]


def test_text_before_the_first_section_is_comment():
    """A C comment on top, as in Microsoft's own samples, does not stop the reader."""
    assert Inf.parse(b"/*++\nCopyright\n--*/\n" + SAMPLE, "x.inf").provider == "HIL Lab"


@pytest.mark.parametrize(
    ("language", "name"), [(0x0407, "Karte"), (0x0C07, "Karte (AT)"), (0x040C, "card"), (0x0409, "card")]
)
def test_strings_of_the_language_win(inf, language, name):
    """[Strings.xxxx] of the language goes over that of its family, and that over [Strings].

    German users of an Austrian Windows read German, not English.
    """
    text = "[x]\n%Card%=1\n[Strings]\nCard=card\n[Strings.0007]\nCard=Karte\n[Strings.0c07]\nCard=Karte (AT)\n"
    assert inf(text, language=language).section("x").lines[0].key == name


@pytest.mark.parametrize("written", ["09/15/2025", "9/15/2025,2.1", "09-15-2025,2.1.0.0"])
def test_driver_version(written):
    """DriverVer is read in its allowed forms; missing parts are zero."""
    inf = Inf.parse(f'[Version]\nSignature="$Windows NT$"\nDriverVer={written}'.encode(), "x.inf")
    assert inf.driver_version[0] == date(2025, 9, 15)
    assert inf.driver_version[1] in ("0.0.0.0", "2.1.0.0")


@pytest.mark.parametrize("written", ["15/09/2025,1.0", "2025-09-15", "09/15/2025,1.2.3.4.5", "09/15/2025,1.70000", ""])
def test_wrong_driver_version_names_file_and_line(written):
    """A DriverVer that Windows would refuse is named with file and line."""
    inf = Inf.parse(f'[Version]\nSignature="$Windows NT$"\nDriverVer={written}'.encode(), "x.inf")
    with pytest.raises(UsageError) as error:
        _ = inf.driver_version
    assert error.value.where == "x.inf:3"


@pytest.mark.parametrize(
    ("data", "where"),
    [(b"[Version\nSignature=x", "x.inf:1"), (b"\n[Version]\nProvider=x", "x.inf:2"), (b"", "x.inf:1")],
)
def test_what_is_no_inf_is_named(data, where):
    """A header without bracket, or no Windows signature, is a usage error with its place."""
    with pytest.raises(UsageError) as error:
        Inf.parse(data, "x.inf")
    assert error.value.where == where


def test_sample_as_windows_understands_it():
    """The sample miniport: models, service, file list and settings come out as its makers meant them.

    It is what the virtual Windows installs; a mistake here would be a mistake of every suite.
    """
    inf = Inf.parse(SAMPLE, "hilnic.inf")
    target = Target()
    model = models.read(inf, target)[0]
    install = installs.read(inf, model, target)
    service = install.function_driver
    assert model.hardware_id == r"PCI\VEN_1D0F&DEV_7A10&SUBSYS_00011D0F&REV_01"
    assert install.section == "HilNic.ndi.NTamd64"
    assert dict(install.network)["*IfType"] == 6
    assert (service.name, service.binary) == ("hilnic", r"%13%\hilnic.sys")
    assert (service.start_type, service.event_log) == (3, True)
    assert [(copy.target, copy.dirid) for copy in install.copies] == [("hilnic.sys", installs.DIRID_DRIVER_STORE)]
    assert [file.path for file in installs.source_files(inf, target)] == ["hilnic.sys"]


def test_settings_of_the_sample():
    """Each keyword has its type, default, choices and range, and takes no other value.

    The Advanced page, Set-NetAdapterAdvancedProperty and the property tests all read this table.
    """
    inf = Inf.parse(SAMPLE, "hilnic.inf")
    install = installs.read(inf, models.read(inf, Target())[0], Target())
    found = {keyword.name: keyword for keyword in keywords.read(install.registry)}
    assert len(found) == SAMPLE.count(b"ParamDesc") >= 21
    assert all(keyword.accepts(keyword.default) for keyword in found.values())
    jumbo, speed, address = found["*JumboPacket"], found["*SpeedDuplex"], found["NetworkAddress"]
    assert (jumbo.kind, jumbo.default, jumbo.minimum, jumbo.maximum, jumbo.step) == ("int", "1514", 1514, 9014, 1)
    assert not jumbo.accepts("9015") and not jumbo.accepts("many") and not found["*ReceiveBuffers"].accepts("81")
    assert dict(speed.choices) == {"0": "Auto Negotiation", "4": "100 Mbps Full Duplex", "6": "1.0 Gbps Full Duplex"}
    assert not speed.accepts("7")
    assert address.optional and address.accepts("") and not address.accepts("0" * 13)
    assert inf.where(jumbo.number).startswith("hilnic.inf:")


def test_directory_id_that_is_no_number_names_its_line(inf):
    """A placeholder that the build did not replace is found, with its line.

    Public INFs of unbuilt projects have them; Windows would refuse such a package.
    """
    found = inf(MODEL + "[I]\nCopyFiles=C\n[C]\na.sys\n[DestinationDirs]\nC=HERE\n")
    with pytest.raises(UsageError) as error:
        installs.read(found, models.read(found, Target())[0], Target())
    assert error.value.where == "test.inf:14"


def test_needs_that_turn_in_a_circle_end(inf):
    """Sections that need each other are read once each.

    A copy-and-paste mistake in an INF must not hang the harness.
    """
    found = inf(MODEL + "[I]\nNeeds=J\nAddReg=R\n[J]\nNeeds=I\n[R]\nHKR,,a,0,b\n")
    assert len(installs.read(found, models.read(found, Target())[0], Target()).registry) == 1


def test_path_out_of_the_package_is_refused(inf):
    """A source file above the package's folder is a usage error, not a file that is read.

    A package from somewhere must not make the harness send files of this computer.
    """
    found = inf("[SourceDisksNames]\n1=d\n[SourceDisksFiles]\nx.sys = 1,..\\..\\secret\n")
    with pytest.raises(UsageError) as error:
        installs.source_files(found, Target())
    assert error.value.where == "test.inf:8"


@given(st.text(st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="%"), max_size=60))
def test_quoted_text_survives(text):
    """Whatever stands in quotes comes back as it was, commas, semicolons, backslashes and brackets included."""
    quoted = text.replace('"', '""')
    data = f'[Version]\nSignature="$Windows NT$"\n[s]\nk = "{quoted}", end\n'.encode("utf-16")
    assert Inf.parse(data, "x").section("s").lines[0].values == (text, "end")


@settings(max_examples=400)
@given(st.data())
def test_damaged_inf_is_read_or_refused(data):
    """Bytes changed, cut, doubled or put in anywhere: the reader answers, or raises UsageError; never anything else.

    Packages come from vendors, mail and half-finished downloads.
    """
    damaged = bytearray(SAMPLE)
    for _ in range(data.draw(st.integers(1, 6))):
        start = data.draw(st.integers(0, len(damaged)))
        end = min(len(damaged), start + data.draw(st.integers(0, 40)))
        damaged[start:end] = data.draw(st.one_of(st.binary(max_size=8), st.just(bytes(damaged[end : end + 30]))))
    _read_everything(bytes(damaged))


@settings(max_examples=200)
@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data):
    """The same for bytes that never were an INF, in each encoding."""
    _read_everything(data)
    _read_everything(b'[Version]\nSignature="$Windows NT$"\n' + data)


@settings(max_examples=400)
@given(st.text(st.sampled_from('ab =,;"\\\t%'), max_size=30))
def test_the_short_way_reads_as_the_general_one(text):
    """Entries that are read on the short way give what the general way gives, blank for blank.

    Nearly all lines of an INF take the short way; a difference would be a wrong registry value.
    """
    stripped = text.strip()
    short = _plain_entry(stripped, 1) if stripped else None
    if short is not None:
        assert short == _entry(stripped, 1, iter(()))


@pytest.mark.parametrize(
    ("directives", "deleted", "hardware"),
    [("DelReg=Old\n[Old]\nHKR,,a\nHKR,b\n", 2, 0), ("\n[I.HW]\nAddReg=R\n[R]\nHKR,,MSISupported,0x10001,1\n", 0, 1)],
)
def test_what_is_deleted_and_what_is_the_hardwares(inf, directives, deleted, hardware):
    """DelReg entries and values of the hardware key are told apart from those of the driver key.

    MSI is switched on in the hardware key; in the driver key it would do nothing.
    """
    found = inf(MODEL + f"[I]\n{directives}")
    install = installs.read(found, models.read(found, Target())[0], Target())
    assert (len(install.deletions), len(install.hardware), install.registry) == (deleted, hardware, ())


def test_undefined_strings_are_remembered_with_their_line(inf):
    """A token without text is named with its line; directory ids and doubled signs are none."""
    found = inf("[s]\na = %13%\\x, %%PATH%%\nb = %Nobody%\n")
    assert ("Nobody", 7) in found.undefined and len(found.undefined) == 2  # %Us% of the head is the other


def _read_everything(data: bytes) -> None:
    check_inf(data, "x.inf", today=date(2026, 1, 1))
    target = Target()
    try:
        inf = Inf.parse(data, "x.inf")
        _ = inf.driver_version, inf.catalog_file("amd64")
        installs.source_files(inf, target)
        for model in models.read(inf, target):
            keywords.read(installs.read(inf, model, target).registry)
    except UsageError as error:
        assert "x.inf" in error.where
