"""What a testbed file may say. Frozen; an unknown key is refused; units are in the names of keys."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Secret(Section):
    """A secret by reference, never by value: exactly one of the three."""

    env: str | None = None
    file: Path | None = None
    keyring: str | None = Field(None, description="service/user in the keyring of this computer")


class Ssh(Section):
    """How to reach OpenSSH on the machine, over the management network."""

    host: str
    port: int = Field(22, ge=1, le=65535)
    user: str
    key_file: Path
    key_passphrase: Secret | None = None
    host_key: str = Field(description='pinned, as in known_hosts: "ssh-ed25519 AAAA..."')
    connect_timeout_s: float = Field(10.0, gt=0)
    keepalive_s: float = Field(5.0, gt=0)


class Machine(Section):
    """The Windows PC that holds the NIC under test. Limits are the machine's, not hil's."""

    ssh: Ssh
    shell: Literal["pwsh", "powershell"] = Field("pwsh", description="PowerShell 7, or Windows PowerShell 5.1")
    min_build: int = Field(19041, description="oldest Windows build accepted; 19041 has all pnputil verbs")
    boot_timeout_s: float = Field(300.0, gt=0)
    shutdown_timeout_s: float = Field(60.0, gt=0)
    sleep_timeout_s: float = Field(30.0, gt=0)
    resume_timeout_s: float = Field(60.0, gt=0)
    sleep_states: tuple[Literal["S3", "S4", "S0ix"], ...] = Field(("S3", "S4"), description="as powercfg /a tells")
    asleep_below_w: float | None = Field(None, description="watts that only a sleeping machine draws")
    wake_shows_s: float = Field(5.0, gt=0, description="how soon after its cause the meter shows a wake")
    may_bugcheck: bool = Field(False, description="tests may crash Windows to see that its dumps are written")
    min_free_disk_gb: float = Field(5.0, gt=0)
    max_clock_offset_s: float = Field(5.0, gt=0)


class Wake(Section):
    """What the NIC wakes its machine by, where Windows has no setting of its own; keywords are the driver's."""

    from_soft_off: bool = Field(False, description="a magic packet starts the machine from S5")
    link_keyword: str | None = Field(None, description="advanced property that arms wake on link change: 0 or 1")
    secureon_keyword: str | None = Field(None, description="advanced property that holds a SecureOn password")
    patterns: int = Field(0, ge=0, description="wake patterns that it states: NDIS_PM_CAPABILITIES.NumTotalWoLPatterns")

    def capabilities(self) -> set[str]:
        offered = {
            "wake_from_s5": self.from_soft_off, "wake_on_link": self.link_keyword,
            "secureon": self.secureon_keyword, "wake_patterns": self.patterns,
        }  # fmt: skip
        return {name for name, offers in offered.items() if offers}


class Adapter(Section):
    """The NIC under test, found by hardware id (and MAC when there are two of a kind)."""

    hardware_id: str = Field(description=r"e.g. PCI\VEN_8086&DEV_15F3")
    mac: str | None = Field(None, description="AA-BB-CC-DD-EE-FF, when two adapters match the hardware id")
    link_mbps: int = Field(gt=0)
    address: str = Field(description="IPv4 with prefix that the adapter gets for traffic, e.g. 198.18.0.1/24")
    gone_timeout_s: float = Field(5.0, gt=0, description="from pull to absent devnode")
    back_timeout_s: float = Field(30.0, gt=0, description="from plug to link up")
    wake: Wake = Wake()


class LocalPartner(Section):
    """A second port of this computer, in a network namespace of its own (a path, or a name of `ip netns`)."""

    kind: Literal["local"] = "local"
    netns: str
    interface: str
    address: str
    direct: bool = Field(True, description="false with a switch in between: its link says nothing of the adapter's")


class SshPartner(Section):
    """A Linux computer at the other end of the cable."""

    kind: Literal["ssh"]
    ssh: Ssh
    interface: str
    address: str
    direct: bool = Field(True, description="false with a switch in between: its link says nothing of the adapter's")


Partner = Annotated[LocalPartner | SshPartner, Field(discriminator="kind")]


class Instrument(Section):
    """One channel of an instrument in one role."""

    role: Literal["outlet", "slot", "meter", "button", "cable", "supply", "usb_port", "out_of_band"]
    family: str = Field(description="a name from `hil instruments`, e.g. keysight-34980a")
    resource: str = Field(description="VISA resource name; host or host:port (Quarch, SNMP); http://host (HTTP)")
    channel: str = Field("1", description="outlet, relay or element, as the family writes it")
    serial: str | None = Field(None, description="field 3 of *IDN?; another instrument is refused")
    user: str | None = Field(None, description="where the instrument wants a logon (HTTP)")
    secret: Secret | None = Field(None, description="its password, or the SNMP community")
    certificate: Path | None = Field(None, description="of an instrument behind HTTPS that signed its own (PEM)")
    timeout_s: float = Field(2.0, gt=0)
    settle_s: float = Field(0.0, ge=0, description="time that the switched thing needs after the relay moved")
    min_off_s: float = Field(0.0, ge=0)
    rest: Literal["on", "off"] | None = Field("on", description="position to leave it in")


_ALWAYS = ("current", "certificate")


class Packages(Section):
    """Driver packages on the controller's disk: folders with one INF each."""

    current: Path
    previous: Path | None = None
    other: Path | None = Field(None, description="another driver (INF, service) for the same NIC, a PC maker's say")
    restarting: Path | None = Field(None, description="a package that Windows restarts for (INF Reboot directive)")
    certificate: Path | None = Field(None, description="test certificate (DER or PEM) to trust, if test-signed")
    broken: Path | None = Field(None, description="a package whose signature must be refused: a file was changed")
    unsigned: Path | None = Field(None, description="a package that nobody signed")
    expired: Path | None = Field(None, description="signed after its certificate's end, without a time stamp")
    revoked: Path | None = Field(None, description="a package whose signer tests may distrust for a while")

    def capabilities(self) -> set[str]:
        """``previous_package`` and so on; ``test_signature`` when Windows has to be told to take it."""
        named = {name for name in type(self).model_fields if name not in _ALWAYS and getattr(self, name)}
        return {f"{name}_package" for name in named} | ({"test_signature"} if self.certificate else set())


class Tools(Section):
    """Programs to send to the machine, each with the DLLs that lie beside it."""

    iperf3: Path | None = None


class SleepLimits(Section):
    """What one sleep state may cost."""

    wake_s: float = Field(gt=0, description="from what wakes the machine to its first answer")
    drawn_w: float = Field(gt=0, description="mean power from the mains while it lasts")


class Debugger(Section):
    """A Windows computer with the debugging tools, to which crash dumps are sent for analysis."""

    ssh: Ssh
    kd: str = Field("kd", description=r"the program, e.g. C:\Program Files (x86)\Windows Kits\10\Debuggers\x64\kd.exe")
    symbols: str = Field("", description="symbol path, e.g. srv*C:\\symbols*https://msdl.microsoft.com/download/symbols")
    folder: str = Field(r"C:\hil\dumps", description="where dumps are kept there")
    timeout_s: float = Field(600.0, gt=0, description="for one dump; the first one fetches symbols")


class Limits(Section):
    """Thresholds of this bench; the suites state their sums beside them."""

    tcp_of_ceiling: float = Field(0.97, gt=0, le=1, description="share of the ceiling that the headers leave")
    below_usual: float = Field(0.05, ge=0, lt=1, description="share of this bench's usual rate that is no loss yet")
    udp_loss_ratio: float = Field(0.001, ge=0, le=1)
    udp_load: float = Field(0.5, gt=0, le=1, description="share of the link rate offered as UDP")
    pool_growth_kb_per_removal: float = Field(64.0, gt=0)
    pool_growth_kb_per_cycle: float = Field(64.0, gt=0, description="of disable, restart, sleep ...")
    handle_growth_per_cycle: float = Field(100.0, gt=0, description="an idle Windows moves by some hundred on its own")
    wake_guard_s: int = Field(120, gt=0, description="a timer wakes the machine after this, should the NIC not")
    wake_timer_s: int = Field(60, gt=0, description="the shortest sleep that a timer is asked to end")
    s3: SleepLimits = SleepLimits(wake_s=10, drawn_w=5)
    s4: SleepLimits = SleepLimits(wake_s=60, drawn_w=2)
    s5: SleepLimits = SleepLimits(wake_s=120, drawn_w=2)
    s0ix: SleepLimits = SleepLimits(wake_s=5, drawn_w=8)

    def asleep(self, state: str) -> SleepLimits:
        """Of S3, S4, S5 or S0ix."""
        found: SleepLimits = getattr(self, state.lower())
        return found


class Virtual(Section):
    """A bench that is a set of processes on this computer; everything else is filled in when it starts."""

    link_mbps: int = Field(1000, gt=0)
    true_frames: bool = Field(True, description="cut and checksum each frame; false passes segments through")
    far_end: Literal["pwsh", "powershell"] = "pwsh"
    timescale: float = Field(0.02, gt=0, le=1, description="one real second of boot or sleep takes this many")
    windows_build: int = 26100
    sleep: Literal["s3", "s0ix"] = Field("s3", description="S3, or Modern Standby in its place; both have S4")
    instruments: tuple[Literal["outlet", "slot", "meter", "button", "cable", "out_of_band"], ...] = (
        "outlet", "slot", "meter", "button", "cable",
    )  # fmt: skip
    slot_family: Literal["scpi-relay", "quarch"] = Field("scpi-relay", description="what pulls the NIC")
    outlet_family: Literal[
        "keysight-34980a", "apc-rpdu", "apc-rpdu2", "raritan-px", "netio", "shelly-gen2", "dli-pro"
    ] = Field("keysight-34980a", description="what switches the mains: a relay unit, a PDU by SNMP or by HTTP")
    outlet_delay_s: float = Field(0.0, ge=0, description="that a PDU lets pass between a command and its relay")
    feeds: int = Field(1, ge=1, le=2, description="power supplies of the machine, each on an outlet of its own")
    one_client: bool = Field(False, description="instruments with SCPI refuse a second client")
    second_adapter: bool = Field(False, description="a second NIC of the same hardware id")
    elevated: bool = True
    secure_boot: bool = False
    seed: int = Field(0, description="of all that happens on it by chance; a run has one of its own")
    faults: tuple[str, ...] = Field((), description="package.module:Class")

    @property
    def sleep_states(self) -> tuple[Literal["S3", "S4", "S0ix"], ...]:
        return ("S3", "S4") if self.sleep == "s3" else ("S4", "S0ix")


VIRTUAL_WAKE = Wake(from_soft_off=True, link_keyword="WakeOnLink", secureon_keyword="SecureOnPassword", patterns=12)
"""What the virtual NIC offers."""


class Testbed(Section):
    """One bench. Either ``virtual``, or machine, adapter and what else stands on it."""

    __test__ = False

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    description: str = ""
    virtual: Virtual | None = None
    machine: Machine | None = None
    adapter: Adapter | None = None
    partner: Partner | None = None
    instruments: dict[str, Instrument] = Field(default_factory=dict)
    packages: Packages | None = None
    tools: Tools = Tools()
    debugger: Debugger | None = None
    limits: Limits = Limits()
    state_dir: Path | None = Field(None, description="where the lease and bench state live; default: per user")

    def capabilities(self) -> frozenset[str]:
        """What this bench can be asked, as ``@pytest.mark.requires`` names it."""
        found: set[str] = {instrument.role for instrument in self.instruments.values()}
        if any(one.role == "slot" and one.family.startswith("quarch") for one in self.instruments.values()):
            found.add("timed_slot")
        if self.virtual is not None:
            found |= {"timed_slot"} if self.virtual.slot_family == "quarch" else set()
            found |= {*self.virtual.instruments, "partner", "wire", "test_signature"}
            found |= {f"{name}_package" for name in Packages.model_fields if name not in _ALWAYS}
            found |= {*self.virtual.sleep_states, *VIRTUAL_WAKE.capabilities(), "bugcheck"}
        if self.machine is not None:
            found |= {*self.machine.sleep_states, *(("bugcheck",) if self.machine.may_bugcheck else ())}
        if self.adapter is not None:
            found |= self.adapter.wake.capabilities()
        if self.partner is not None:
            found |= {"partner", "wire"}
        if self.packages is not None:
            found |= self.packages.capabilities()
        return frozenset(found)

    def dump(self) -> dict[str, Any]:
        """As plain data that YAML and JSON can hold."""
        return self.model_dump(mode="json", exclude_none=True)
