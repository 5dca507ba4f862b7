$ErrorActionPreference = 'Continue'
$failed = $false
$global:LASTEXITCODE = 0
& ([scriptblock]::Create($p.script)) 2>&1 | ForEach-Object {
  if ($_ -is [Management.Automation.ErrorRecord]) {
    $script:failed = $true
    [Console]::Error.WriteLine(($_ | Out-String -Width 4096).TrimEnd())
  } else { $_ }
} | Out-String -Stream -Width 4096 | ForEach-Object { [Console]::Out.WriteLine($_) }
if ($global:LASTEXITCODE) { exit $global:LASTEXITCODE }
if ($failed) { exit 1 }
