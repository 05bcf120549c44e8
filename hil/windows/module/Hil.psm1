<#
.SYNOPSIS
What a driver test asks of Windows and no cmdlet answers.
.DESCRIPTION
For Windows PowerShell 5.1 and PowerShell 7. Output is flat: remoting keeps one level of an object.
#>

Set-StrictMode -Version 2.0

Add-Type -TypeDefinition @'
using System;
using System.ComponentModel;
using System.Runtime.InteropServices;
using System.Text;
using System.Threading;

namespace Hil
{
    public static class Native
    {
        [DllImport("kernel32.dll")]
        public static extern ulong GetTickCount64();

        [DllImport("psapi.dll", SetLastError = true)]
        static extern bool EnumDeviceDrivers([Out] IntPtr[] bases, int size, out int needed);
        [DllImport("psapi.dll", CharSet = CharSet.Unicode, SetLastError = true)]
        static extern int GetDeviceDriverFileNameW(IntPtr imageBase, StringBuilder name, int size);
        [DllImport("psapi.dll", SetLastError = true)]
        static extern bool GetPerformanceInfo(out PerformanceInformation information, int size);
        [DllImport("powrprof.dll", SetLastError = true)]
        [return: MarshalAs(UnmanagedType.U1)]
        static extern bool SetSuspendState(
            [MarshalAs(UnmanagedType.U1)] bool hibernate,
            [MarshalAs(UnmanagedType.U1)] bool force,
            [MarshalAs(UnmanagedType.U1)] bool wakeupEventsDisabled);
        [DllImport("powrprof.dll")]
        static extern uint CallNtPowerInformation(
            int level, IntPtr input, int inputSize, [Out] byte[] output, int outputSize);
        [DllImport("powrprof.dll")]
        static extern uint PowerGetActiveScheme(IntPtr root, out IntPtr scheme);
        [DllImport("powrprof.dll")]
        static extern uint PowerSetActiveScheme(IntPtr root, IntPtr scheme);
        [DllImport("powrprof.dll")]
        static extern uint PowerReadACValueIndex(
            IntPtr root, IntPtr scheme, ref Guid subgroup, ref Guid setting, out uint value);
        [DllImport("powrprof.dll")]
        static extern uint PowerReadDCValueIndex(
            IntPtr root, IntPtr scheme, ref Guid subgroup, ref Guid setting, out uint value);
        [DllImport("powrprof.dll")]
        static extern uint PowerWriteACValueIndex(
            IntPtr root, IntPtr scheme, ref Guid subgroup, ref Guid setting, uint value);
        [DllImport("powrprof.dll")]
        static extern uint PowerWriteDCValueIndex(
            IntPtr root, IntPtr scheme, ref Guid subgroup, ref Guid setting, uint value);
        [DllImport("kernel32.dll", SetLastError = true)]
        static extern bool GetSystemTimes(out long idle, out long kernelAndIdle, out long user);
        [DllImport("kernel32.dll")]
        static extern uint SetThreadExecutionState(uint flags);
        [DllImport("kernel32.dll")]
        static extern uint WaitForSingleObject(IntPtr handle, uint milliseconds);
        [DllImport("kernel32.dll")]
        static extern IntPtr LocalFree(IntPtr memory);
        [DllImport("kernel32.dll", SetLastError = true)]
        static extern IntPtr CreateWaitableTimerW(IntPtr attributes, bool manualReset, IntPtr name);
        [DllImport("kernel32.dll", SetLastError = true)]
        static extern bool SetWaitableTimer(
            IntPtr timer, ref long dueTime, int period, IntPtr routine, IntPtr argument, bool resume);
        [DllImport("kernel32.dll")]
        static extern bool CloseHandle(IntPtr handle);
        [DllImport("ntdll.dll")]
        static extern int NtSetInformationProcess(IntPtr process, int kind, ref int value, int size);
        [DllImport("kernel32.dll")]
        static extern bool TerminateProcess(IntPtr process, int exitCode);
        [DllImport("kernel32.dll")]
        static extern IntPtr GetCurrentProcess();
        [DllImport("advapi32.dll", SetLastError = true)]
        static extern bool OpenProcessToken(IntPtr process, int access, out IntPtr token);
        [DllImport("advapi32.dll", CharSet = CharSet.Unicode, SetLastError = true)]
        static extern bool LookupPrivilegeValueW(string system, string name, out long luid);
        [DllImport("advapi32.dll", SetLastError = true)]
        static extern bool AdjustTokenPrivileges(
            IntPtr token, bool disableAll, ref Privilege wanted, int size, IntPtr previous, IntPtr needed);

        [StructLayout(LayoutKind.Sequential, Pack = 4)]
        struct Privilege { public int Count; public long Luid; public int Attributes; }

        [StructLayout(LayoutKind.Sequential)]
        public struct PerformanceInformation
        {
            public int Size;
            public UIntPtr CommitTotal, CommitLimit, CommitPeak, PhysicalTotal, PhysicalAvailable, SystemCache;
            public UIntPtr KernelTotal, KernelPaged, KernelNonpaged, PageSize;
            public int HandleCount, ProcessCount, ThreadCount;
        }

        static void Check(bool good) { if (!good) throw new Win32Exception(Marshal.GetLastWin32Error()); }

        static void CheckStatus(uint status) { if (status != 0) throw new Win32Exception((int) status); }

        static void Enable(string privilege)
        {
            IntPtr token;
            const int AdjustAndQuery = 0x28, Enabled = 2;
            Check(OpenProcessToken(GetCurrentProcess(), AdjustAndQuery, out token));
            try
            {
                Privilege wanted = new Privilege { Count = 1, Attributes = Enabled };
                Check(LookupPrivilegeValueW(null, privilege, out wanted.Luid));
                bool adjusted = AdjustTokenPrivileges(token, false, ref wanted, 0, IntPtr.Zero, IntPtr.Zero);
                int status = Marshal.GetLastWin32Error(); // 1300: the token does not hold it, though the call succeeds
                if (!adjusted || status != 0) throw new Win32Exception(status);
            }
            finally { CloseHandle(token); }
        }

        public static string[] LoadedDrivers()
        {
            Enable("SeDebugPrivilege"); // from Windows 11 24H2 on, image bases read as zero without it
            int needed;
            Check(EnumDeviceDrivers(null, 0, out needed));
            IntPtr[] bases = new IntPtr[needed / IntPtr.Size];
            Check(EnumDeviceDrivers(bases, needed, out needed));
            string[] names = new string[bases.Length];
            StringBuilder name = new StringBuilder(1024);
            for (int i = 0; i < bases.Length; i++)
                names[i] = GetDeviceDriverFileNameW(bases[i], name, name.Capacity) > 0 ? name.ToString() : "";
            return names;
        }

        public static PerformanceInformation Performance()
        {
            PerformanceInformation information;
            Check(GetPerformanceInfo(out information, Marshal.SizeOf(typeof(PerformanceInformation))));
            return information;
        }

        public static long[] ProcessorTimes()
        {
            long idle, kernelAndIdle, user;
            Check(GetSystemTimes(out idle, out kernelAndIdle, out user));
            return new long[] { idle, kernelAndIdle + user };
        }

        public static byte[] PowerCapabilities()
        {
            const int SystemPowerCapabilities = 4;
            byte[] has = new byte[76];
            uint status = CallNtPowerInformation(SystemPowerCapabilities, IntPtr.Zero, 0, has, has.Length);
            if (status != 0) throw new InvalidOperationException("CallNtPowerInformation: 0x" + status.ToString("X8"));
            return has;
        }

        // The wake timer must live until the machine is awake, so it belongs to the thread that sleeps.
        static void Later(DateTime wakeUtc, int delayMs, Action<IntPtr> sleep)
        {
            IntPtr timer = CreateWaitableTimerW(IntPtr.Zero, true, IntPtr.Zero);
            Check(timer != IntPtr.Zero);
            long due = wakeUtc.ToFileTimeUtc();
            Check(SetWaitableTimer(timer, ref due, 0, IntPtr.Zero, IntPtr.Zero, true));
            Thread sleeper = new Thread(delegate()
            {
                Thread.Sleep(delayMs);
                sleep(timer);
                CloseHandle(timer);
            });
            sleeper.IsBackground = true;
            sleeper.Start();
        }

        public static void SuspendLater(bool hibernate, DateTime wakeUtc, int delayMs)
        {
            Enable("SeShutdownPrivilege");
            // blocks until the machine is awake again
            Later(wakeUtc, delayMs, delegate(IntPtr timer) { SetSuspendState(hibernate, false, false); });
        }

        // A process that Windows cannot do without, and that ends: CRITICAL_PROCESS_DIED. There is no documented call that
        // makes a bugcheck; this one (ProcessBreakOnTermination) is what system services use, and known from SDK headers.
        public static void BugcheckLater(int delayMs)
        {
            const int BreakOnTermination = 29;
            Enable("SeDebugPrivilege");
            int on = 1;
            CheckStatus((uint) NtSetInformationProcess(GetCurrentProcess(), BreakOnTermination, ref on, sizeof(int)));
            Thread end = new Thread(delegate() { Thread.Sleep(delayMs); TerminateProcess(GetCurrentProcess(), 0); });
            end.IsBackground = true;
            end.Start();
        }

        // Modern Standby has no call of its own: it begins when the screen goes dark. So the screen gets one second of
        // idle time, on mains and on battery, at the desktop and at the lock screen, until it is dark.
        public static void StandbyLater(DateTime wakeUtc, int delayMs)
        {
            const int DarkWithinMs = 5000;
            const uint Forever = 0xFFFFFFFF, DisplayAndSystemRequired = 0x3;
            uint[] before = ScreenIdle(new uint[] { 1, 1, 1, 1 });
            Later(wakeUtc, delayMs, delegate(IntPtr timer)
            {
                Thread.Sleep(DarkWithinMs);
                ScreenIdle(before);
                WaitForSingleObject(timer, Forever);
                SetThreadExecutionState(DisplayAndSystemRequired); // the guard: the screen on, the standby over
            });
        }

        // Seconds until the screen goes dark (SUB_VIDEO; VIDEOIDLE and VIDEOCONLOCK): sets them, gives the old ones.
        static uint[] ScreenIdle(uint[] seconds)
        {
            Guid video = new Guid("7516b95f-f776-4464-8c53-06167f40cc99");
            Guid[] settings =
            {
                new Guid("3c0bc021-c8a8-4e07-a973-6b14cbcb2b7e"), new Guid("8ec4b3a5-6868-48c2-be75-4f3044be88a7")
            };
            IntPtr scheme;
            CheckStatus(PowerGetActiveScheme(IntPtr.Zero, out scheme));
            try
            {
                uint[] before = new uint[4];
                for (int i = 0; i < 2; i++)
                {
                    Guid setting = settings[i];
                    CheckStatus(PowerReadACValueIndex(IntPtr.Zero, scheme, ref video, ref setting, out before[i]));
                    CheckStatus(PowerReadDCValueIndex(IntPtr.Zero, scheme, ref video, ref setting, out before[i + 2]));
                    CheckStatus(PowerWriteACValueIndex(IntPtr.Zero, scheme, ref video, ref setting, seconds[i]));
                    CheckStatus(PowerWriteDCValueIndex(IntPtr.Zero, scheme, ref video, ref setting, seconds[i + 2]));
                }
                CheckStatus(PowerSetActiveScheme(IntPtr.Zero, scheme));
                return before;
            }
            finally { LocalFree(scheme); }
        }
    }
}
'@

function Get-HilClock {
    <#
    .SYNOPSIS
    The machine's clock, and which boot this is.
    .OUTPUTS
    UtcNow and LastBootUpTime (DateTime, UTC); UptimeMs (UInt64), which counts time asleep and never steps.
    #>
    [CmdletBinding()]
    param()
    $system = Get-CimInstance -ClassName Win32_OperatingSystem -Property LastBootUpTime
    [pscustomobject]@{
        LastBootUpTime = $system.LastBootUpTime.ToUniversalTime()
        UptimeMs       = [Hil.Native]::GetTickCount64()
        UtcNow         = [DateTime]::UtcNow
    }
}

function Suspend-HilMachine {
    <#
    .SYNOPSIS
    Puts the machine to sleep with wake events kept, and a wake timer as guard.
    .DESCRIPTION
    Comes back at once, so that the caller can close its pipeline; the machine sleeps DelayMs later. S0ix is Modern
    Standby: some seconds later, when nobody touches the machine.
    .OUTPUTS
    State, WakeTimerUtc (DateTime, UTC).
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [ValidateSet('S3', 'S4', 'S0ix')] [string] $State,
        [Parameter(Mandatory = $true)] [ValidateRange(1, 86400)] [int] $WakeAfterSeconds,
        [ValidateRange(0, 60000)] [int] $DelayMs = 500
    )
    $wake = [DateTime]::UtcNow.AddSeconds($WakeAfterSeconds)
    if ($State -eq 'S0ix') { [Hil.Native]::StandbyLater($wake, $DelayMs) }
    else { [Hil.Native]::SuspendLater($State -eq 'S4', $wake, $DelayMs) }
    [pscustomobject]@{ State = $State; WakeTimerUtc = $wake }
}

function Invoke-HilBugcheck {
    <#
    .SYNOPSIS
    Stops Windows with bugcheck 0xEF, to see that the machine writes its dump and comes back.
    .DESCRIPTION
    Comes back at once, so that the caller can close its pipeline; Windows stops DelayMs later.
    .OUTPUTS
    Code (UInt32).
    #>
    [CmdletBinding()]
    param([ValidateRange(0, 60000)] [int] $DelayMs = 500)
    [Hil.Native]::BugcheckLater($DelayMs)
    [pscustomobject]@{ Code = [uint32] 0xEF }
}

function Get-HilLoadedImage {
    <#
    .SYNOPSIS
    The driver image that is in memory for a service, and the hash of the file that it was loaded from.
    .OUTPUTS
    Service, Path, Sha256 (upper case; both null when no image is loaded), Running.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Service)
    $driver = Get-CimInstance -ClassName Win32_SystemDriver | Where-Object { $_.Name -eq $Service }
    $path = $null
    $hash = $null
    if ($driver) {
        $leaf = Split-Path -Path $driver.PathName -Leaf
        $loaded = [Hil.Native]::LoadedDrivers() | Where-Object { $_.EndsWith("\$leaf", 'OrdinalIgnoreCase') }
        if ($loaded) {
            $path = @($loaded)[0] -replace '^\\SystemRoot', $env:SystemRoot -replace '^\\\?\?\\', ''
            $hash = (Get-FileHash -LiteralPath $path -Algorithm SHA256).Hash
        }
    }
    [pscustomobject]@{ Service = $Service; Path = $path; Sha256 = $hash; Running = [bool] $path }
}

function Get-HilResourceUsage {
    <#
    .SYNOPSIS
    What leaks in the kernel show in.
    .OUTPUTS
    NonPagedPoolBytes, PagedPoolBytes (UInt64), HandleCount, ProcessCount.
    #>
    [CmdletBinding()]
    param()
    $now = [Hil.Native]::Performance()
    $page = $now.PageSize.ToUInt64()
    [pscustomobject]@{
        NonPagedPoolBytes = $now.KernelNonpaged.ToUInt64() * $page
        PagedPoolBytes    = $now.KernelPaged.ToUInt64() * $page
        HandleCount       = $now.HandleCount
        ProcessCount      = $now.ProcessCount
    }
}

function Get-HilProcessorTime {
    <#
    .SYNOPSIS
    How long the processors were idle, of how long in all, since the machine started; the load is in two readings.
    .OUTPUTS
    IdleTicks, TotalTicks (Int64, of 100 ns, summed over the processors).
    #>
    [CmdletBinding()]
    param()
    $times = [Hil.Native]::ProcessorTimes()
    [pscustomobject]@{ IdleTicks = $times[0]; TotalTicks = $times[1] }
}

function Get-HilPower {
    <#
    .SYNOPSIS
    Which sleep states this machine has.
    .OUTPUTS
    HibernateEnabled, States (among S1, S2, S3, S4, S0ix).
    #>
    [CmdletBinding()]
    param()
    # SYSTEM_POWER_CAPABILITIES (winnt.h): bytes 3 to 6 are S1 to S4, 8 the hibernation file, 20 AoAc
    $has = [Hil.Native]::PowerCapabilities()
    $states = @()
    if ($has[3]) { $states += 'S1' }
    if ($has[4]) { $states += 'S2' }
    if ($has[5]) { $states += 'S3' }
    if ($has[6] -and $has[8]) { $states += 'S4' }
    if ($has[20]) { $states += 'S0ix' }
    [pscustomobject]@{ HibernateEnabled = [bool] $has[8]; States = $states }
}

Export-ModuleMember -Function *-Hil*
