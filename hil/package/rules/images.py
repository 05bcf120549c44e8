"""Images: what the linker and the compiler left in the drivers of the package."""

from __future__ import annotations

from collections.abc import Iterator

from hil.errors import UsageError
from hil.package.install import Service
from hil.package.linkage import Linkage
from hil.package.pe import MachineType, Pe, Subsystem, is_pe
from hil.package.rules.rule import Seen, error, note, warning
from hil.package.signed import embedded
from hil.package.subject import File, Subject

_MACHINES = {"amd64": MachineType.AMD64, "arm64": MachineType.ARM64, "x86": MachineType.I386}
_KERNEL_LIBRARIES = ("hal.dll", "bootvid.dll", "kdcom.dll", "pshed.dll", "ci.dll", "ext-ms-win-", "ntoskrnl.exe")
_EXECUTABLE, _WRITABLE = 0x20000000, 0x80000000
_PAGE = 0x1000
_DYNAMIC_BASE, _NX = 0x0040, 0x0100
_BOOT_START = 0


def _images(subject: Subject) -> Iterator[tuple[File, Pe]]:
    """Kernel images that can be read."""
    for file in subject.images:
        if file.image:
            yield file, file.image


def _linked(subject: Subject) -> Iterator[tuple[File, Linkage]]:
    for file, image in _images(subject):
        try:
            yield file, Linkage.read(image, file.data, file.path)
        except UsageError:
            continue  # damaged_image says so


def _drivers(subject: Subject) -> Iterator[tuple[str, Service, File]]:
    """Architecture, service and image of each function driver."""
    if subject.folder is None:
        return
    for variant in subject.variants:
        service = variant.install.function_driver
        sources = subject.sources_for_architecture(variant.architecture)
        for source in sources if service else ():
            file = subject.folder.find(source.path)
            if file and service and source.name.lower() == service.image_name.lower():
                yield variant.architecture, service, file


@error("whole executable images", "build or copy the file again")
def damaged_image(subject: Subject) -> Iterator[Seen]:
    """Drivers can be read as images, tables included.

    Source: PE Format.
    """
    for file in subject.images:
        if file.image is None:
            yield Seen(0, "damaged" if is_pe(file.data) else "no executable image", file.path)
            continue
        try:
            Linkage.read(file.image, file.data, file.path)
        except UsageError as problem:
            yield Seen(0, problem.seen, file.path)


@error("an image for the architecture of its models", "list the right file in [SourceDisksFiles.amd64] and its like")
def wrong_machine(subject: Subject) -> Iterator[Seen]:
    """The function driver is built for the Windows that gets it.

    Source: PE Format, "Machine Types"; INF SourceDisksFiles Section.
    """
    for architecture, _, file in _drivers(subject):
        if file.image and file.image.machine is not _MACHINES[architecture]:
            yield Seen(0, f"{file.image.machine.name} for {architecture}", file.path)


@error("subsystem NATIVE", "link with /DRIVER and /SUBSYSTEM:NATIVE")
def wrong_subsystem(subject: Subject) -> Iterator[Seen]:
    """A driver is an image of the native subsystem.

    Source: PE Format, "Windows Subsystem".
    """
    for file, image in _images(subject):
        if image.subsystem is not Subsystem.NATIVE:
            yield Seen(0, f"subsystem {image.subsystem.name}", file.path)


@error("the right checksum", "link with /RELEASE, and sign after the last change")
def wrong_checksum(subject: Subject) -> Iterator[Seen]:
    """The header's checksum fits: Windows does not load a driver whose checksum is wrong.

    Source: PE Format, "CheckSum".
    """
    for file, image in _images(subject):
        if image.checksum != image.computed_checksum:
            yield Seen(0, f"{image.checksum:#x}, wanted {image.computed_checksum:#x}", file.path)


@error("imports of kernel modules only", "remove the call, or link the kernel's own version of it")
def user_mode_import(subject: Subject) -> Iterator[Seen]:
    """A kernel driver takes nothing from a user-mode library.

    Source: Device.Network.LAN.Base.NDISCalls (a miniport calls NDIS or WDF); libraries as linked by the driver kit.
    """
    for file, linkage in _linked(subject):
        for library, functions in linkage.imports:
            name = library.lower()
            if name.endswith(".dll") and not name.startswith(_KERNEL_LIBRARIES):
                yield Seen(0, f"{library}: {', '.join(functions[:3])}", file.path)


@warning("no section that is writable and executable, in pages of 4096 bytes", "set the attributes in the linker")
def not_hvci_compatible(subject: Subject) -> Iterator[Seen]:
    """The image loads with memory integrity on.

    Source: Device.DevFund.DeviceGuard.DriverCompatibility.
    """
    for file, image in _images(subject):
        both = [s.name for s in image.table if s.flags & _EXECUTABLE and s.flags & _WRITABLE]
        if both:
            yield Seen(0, f"writable and executable: {', '.join(both)}", file.path)
        if image.section_alignment % _PAGE:
            yield Seen(0, f"section alignment {image.section_alignment:#x}", file.path)


@warning("a security cookie in the load configuration", "compile with /GS and link BufferOverflowFastFailK.lib")
def no_security_cookie(subject: Subject) -> Iterator[Seen]:
    """Stack buffers are guarded.

    Source: PE Format, "The Load Configuration Structure".
    """
    for file, linkage in _linked(subject):
        if not linkage.security_cookie:
            yield Seen(0, "none", file.path)


@note("control flow guard", "compile and link with /guard:cf")
def no_control_flow_guard(subject: Subject) -> Iterator[Seen]:
    """Indirect calls are guarded.

    Source: PE Format, "The Load Configuration Structure", GuardFlags.
    """
    for file, linkage in _linked(subject):
        if not linkage.control_flow_guard:
            yield Seen(0, "not instrumented", file.path)


@note("dynamic base and no-execute data", "link with /DYNAMICBASE and /NXCOMPAT")
def no_address_randomisation(subject: Subject) -> Iterator[Seen]:
    """The image can be placed anywhere, and its data are not executed.

    Source: PE Format, "DLL Characteristics".
    """
    for file, image in _images(subject):
        missing = [name for bit, name in ((_DYNAMIC_BASE, "DYNAMIC_BASE"), (_NX, "NX_COMPAT"))
                   if not image.dll_characteristics & bit]  # fmt: skip
        if missing:
            yield Seen(0, f"without {', '.join(missing)}", file.path)


@note("the identity of the symbols", "link with /DEBUG, and keep the .pdb")
def no_symbols(subject: Subject) -> Iterator[Seen]:
    """A crash dump finds the driver's symbols.

    Source: PE Format, "Debug Type" (CodeView).
    """
    for file, linkage in _linked(subject):
        if linkage.pdb is None:
            yield Seen(0, "no CodeView record", file.path)


@warning("a version resource", "add FileVersion; the file's properties and crash reports show it")
def no_version_resource(subject: Subject) -> Iterator[Seen]:
    """The image says its version.

    Source: Device.DevFund.DeviceGuard.DriverCompatibility (complete file version resource).
    """
    for file, image in _images(subject):
        if not image.file_version:
            yield Seen(0, "none", file.path)


@note("the version of DriverVer in the function driver", "build INF and image from one version number")
def version_differs(subject: Subject) -> Iterator[Seen]:
    """INF and image are of the same release.

    Source: General Guidelines for INF Files, "Best practices for naming and versioning your INF file".
    """
    try:
        _, version = subject.inf.driver_version
    except UsageError:
        return
    for _, _, file in _drivers(subject):
        if file.image and file.image.file_version and file.image.file_version != version:
            yield Seen(0, f"{file.image.file_version}, DriverVer has {version}", file.path)


@error("an embedded signature in a boot-start driver", "sign the image too, before the catalog is made")
def boot_driver_unsigned(subject: Subject) -> Iterator[Seen]:
    """A driver that starts with the boot loader carries its signature itself.

    Source: Device.DevFund.Reliability.BootDriverEmbeddedSignature.
    """
    for _, service, file in _drivers(subject):
        section = subject.inf.section(service.section)
        boots = section is not None and section.first("StartType") is not None and service.start_type == _BOOT_START
        if boots and file.image and not any(embedded(file.image, file.data)):
            yield Seen(0, "StartType = 0, and none", file.path)


RULES = (
    damaged_image, wrong_machine, wrong_subsystem, wrong_checksum, user_mode_import, not_hvci_compatible,
    no_security_cookie, no_control_flow_guard, no_address_randomisation, no_symbols, no_version_resource,
    version_differs, boot_driver_unsigned,
)  # fmt: skip
