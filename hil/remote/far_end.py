"""How a PowerShell in server mode is started at the far end (openssh-psrp.md, sections 2 and 3)."""

from __future__ import annotations

import base64
from collections.abc import Mapping

SUBSYSTEM = "powershell"
"""The name that PowerShell's own documentation gives to the subsystem in sshd_config."""

_STUB = r"""
$ErrorActionPreference = 'Stop'
$kernel = Add-Type -Namespace Hil -Name Kernel -PassThru -MemberDefinition @'
[DllImport("kernel32.dll")] public static extern IntPtr GetStdHandle(int which);
'@
$handle = [Microsoft.Win32.SafeHandles.SafeFileHandle]::new($kernel::GetStdHandle(-10), $false)
$lines = [IO.StreamReader]::new([IO.FileStream]::new($handle, [IO.FileAccess]::Read))
$start = [Diagnostics.ProcessStartInfo]::new("$PSHOME\powershell.exe", '-Version 5.1 -NoLogo -ServerMode')
$start.UseShellExecute = $false
$start.CreateNoWindow = $true
$start.RedirectStandardInput = $true
$server = [Diagnostics.Process]::Start($start)
$sink = $server.StandardInput.BaseStream
while ($null -ne ($line = $lines.ReadLine())) {
  $bytes = [Text.Encoding]::ASCII.GetBytes($line + "`n")
  $sink.Write($bytes, 0, $bytes.Length)
  $sink.Flush()
  if ($line -like "<Close PSGuid=*00000000-0000-0000-0000-000000000000*") { break }
}
if ($null -eq $line) { $sink.Close() }
$server.WaitForExit()
"""
"""The console stream of .NET Framework cannot read the overlapped pipe that sshd gives as stdin: the raw handle is read
as a file instead, and each line handed to a child whose stdin is an ordinary pipe. Elements are ASCII; the child's
stdin is written beneath its text writer, which would put a byte order mark first under code page 65001."""

START: Mapping[str, str] = {
    "pwsh": "pwsh -sshs -NoLogo",
    "powershell": "powershell.exe -NoProfile -NoLogo -NonInteractive -EncodedCommand "
    + base64.b64encode(_STUB.encode("utf-16-le")).decode(),
}
