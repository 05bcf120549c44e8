#Requires -Version 5.1
#Requires -RunAsAdministrator
<#
.SYNOPSIS
Makes a Windows PC reachable for hil: OpenSSH server, your key, firewall, PowerShell remoting.
.DESCRIPTION
Run once on the PC, in an elevated PowerShell. Running it again changes nothing that is already right.
Everything else (power plan, test signing, tools) is done over SSH by "hil provision", and undone by it.
.PARAMETER PublicKey
The line of your public key file: "ssh-ed25519 AAAA... you@controller".
.PARAMETER Controller
Only this address (or subnet, 192.168.77.0/24) may reach the SSH server. Anyone may when it is left out.
.EXAMPLE
powershell -ExecutionPolicy Bypass -File prepare-machine.ps1 -PublicKey "ssh-ed25519 AAAA... lab" -Controller 192.168.77.1
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [ValidatePattern('^(ssh|ecdsa)-\S+ [A-Za-z0-9+/=]+')] [string] $PublicKey,
    [string] $Controller = 'Any'
)

Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'
$ssh = Join-Path -Path $env:ProgramData -ChildPath 'ssh'
$utf8 = New-Object -TypeName System.Text.UTF8Encoding -ArgumentList $false

function Write-Change {
    param([string] $What)
    Write-Host -Object "changed: $What"
}

function Install-Server {
    if (-not (Get-Service -Name sshd -ErrorAction SilentlyContinue)) {
        Add-WindowsCapability -Online -Name 'OpenSSH.Server~~~~0.0.1.0' | Out-Null
        Write-Change -What 'installed the OpenSSH server'
    }
    if ((Get-Service -Name sshd).StartType -ne 'Automatic') {
        Set-Service -Name sshd -StartupType Automatic
        Write-Change -What 'sshd starts with Windows'
    }
    # the first start writes the host keys and sshd_config
    if ((Get-Service -Name sshd).Status -ne 'Running') {
        Start-Service -Name sshd
        Write-Change -What 'started sshd'
    }
}

function Set-StrictAcl {
    # sshd ignores the file when anyone but Administrators and SYSTEM may write to it; SIDs, since names are translated
    param([string] $Path)
    $admins = New-Object -TypeName System.Security.Principal.SecurityIdentifier -ArgumentList 'S-1-5-32-544'
    $system = New-Object -TypeName System.Security.Principal.SecurityIdentifier -ArgumentList 'S-1-5-18'
    $acl = New-Object -TypeName System.Security.AccessControl.FileSecurity
    $acl.SetAccessRuleProtection($true, $false)
    $acl.SetOwner($admins)
    foreach ($who in @($admins, $system)) {
        $rule = New-Object -TypeName System.Security.AccessControl.FileSystemAccessRule -ArgumentList $who, 'FullControl', 'Allow'
        $acl.AddAccessRule($rule)
    }
    Set-Acl -LiteralPath $Path -AclObject $acl
}

function Add-Key {
    # members of Administrators are looked up here, never in their own .ssh folder
    $file = Join-Path -Path $ssh -ChildPath 'administrators_authorized_keys'
    $lines = @()
    if (Test-Path -LiteralPath $file) {
        $lines = @([System.IO.File]::ReadAllLines($file) | Where-Object { $_.Trim() })
    }
    $blob = $PublicKey.Split(' ')[1]
    if (-not ($lines | Where-Object { $_.Contains($blob) })) {
        # UTF-8 without a byte order mark: ">" would write UTF-16 in Windows PowerShell
        [System.IO.File]::WriteAllLines($file, [string[]] ($lines + $PublicKey.Trim()), $utf8)
        Write-Change -What "added the key to $file"
    }
    Set-StrictAcl -Path $file
}

function Set-Firewall {
    $rules = @(
        @{ Name = 'OpenSSH-Server-In-TCP'; DisplayName = 'OpenSSH Server (sshd)'; Protocol = 'TCP'; LocalPort = 22 },
        @{ Name = 'hil-iperf3-In'; DisplayName = 'hil: iperf3'; Program = 'C:\hil\tools\iperf3.exe' }
    )
    foreach ($rule in $rules) {
        if (-not (Get-NetFirewallRule -Name $rule.Name -ErrorAction SilentlyContinue)) {
            New-NetFirewallRule @rule -Direction Inbound -Action Allow | Out-Null
            Write-Change -What "firewall rule $($rule.Name)"
        }
        # a new network is taken for a public one, where the rule of the feature does not hold
        Set-NetFirewallRule -Name $rule.Name -Enabled True -Profile Any
    }
    Set-NetFirewallRule -Name 'OpenSSH-Server-In-TCP' -RemoteAddress $Controller
}

function Get-ShortPath {
    # a subsystem's path must hold no blank
    param([string] $Path)
    $files = New-Object -ComObject Scripting.FileSystemObject
    $files.GetFile($Path).ShortPath.Replace('\', '/')
}

function Set-Subsystem {
    $pwsh = Join-Path -Path $env:ProgramFiles -ChildPath 'PowerShell\7\pwsh.exe'
    if (-not (Test-Path -LiteralPath $pwsh)) {
        Write-Host -Object 'PowerShell 7 is not installed: write "shell: powershell" in the testbed'
        return
    }
    $short = Get-ShortPath -Path $pwsh
    if ($short.Contains(' ')) {
        Write-Warning -Message 'short names are off on this volume: no PowerShell subsystem (hil starts pwsh by itself)'
        return
    }
    $wanted = "Subsystem powershell $short -sshs -NoLogo"
    $file = Join-Path -Path $ssh -ChildPath 'sshd_config'
    $lines = @([System.IO.File]::ReadAllLines($file))
    if ($lines -contains $wanted) { return }
    # beside the one of SFTP: below a Match line, where the file ends, a subsystem may not stand
    $kept = @($lines | Where-Object { $_ -notmatch '^\s*Subsystem\s+powershell\s' })
    $new = foreach ($line in $kept) {
        $line
        if ($line -match '^\s*Subsystem\s+sftp\s') { $wanted }
    }
    if ($new -notcontains $wanted) { throw "no line 'Subsystem sftp' in $file to put ours beside" }
    [System.IO.File]::WriteAllLines($file, [string[]] $new, $utf8)
    Restart-Service -Name sshd
    Write-Change -What 'PowerShell 7 is an SSH subsystem'
}

function Set-ScriptPolicy {
    # the companion module is a local file; a Windows client refuses it by default
    $policy = Get-ExecutionPolicy -Scope LocalMachine
    if (@('RemoteSigned', 'Unrestricted', 'Bypass') -contains $policy.ToString()) { return }
    # it complains, though it succeeds, when this very script was started with -ExecutionPolicy
    Set-ExecutionPolicy -ExecutionPolicy RemoteSigned -Scope LocalMachine -Force -ErrorAction SilentlyContinue
    if ((Get-ExecutionPolicy -Scope LocalMachine) -ne 'RemoteSigned') {
        throw 'the execution policy is set by group policy: allow RemoteSigned there'
    }
    Write-Change -What 'local scripts may run (RemoteSigned)'
}

function Show-Testbed {
    $key = [System.IO.File]::ReadAllText((Join-Path -Path $ssh -ChildPath 'ssh_host_ed25519_key.pub')).Split(' ')
    $address = Get-NetIPAddress -AddressFamily IPv4 | Where-Object { $_.PrefixOrigin -ne 'WellKnown' } | Select-Object -First 1
    Write-Host -Object ''
    Write-Host -Object 'For the testbed:'
    Write-Host -Object 'machine:'
    Write-Host -Object '  ssh:'
    Write-Host -Object "    host: $($address.IPAddress)"
    Write-Host -Object "    user: $env:USERNAME"
    Write-Host -Object "    host_key: $($key[0]) $($key[1].Trim())"
}

Install-Server
Add-Key
Set-Firewall
Set-Subsystem
Set-ScriptPolicy
Show-Testbed
