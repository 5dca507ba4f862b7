Plain $p.path
if (-not (Test-Path -LiteralPath $p.path)) { Say @{ exists = $false }; exit 0 }
$type = 'file'
if ((Get-Item -LiteralPath $p.path -Force).PSIsContainer) { $type = 'dir' }
Say @{ exists = $true; type = $type }
