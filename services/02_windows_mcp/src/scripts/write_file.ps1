$folder = Split-Path -LiteralPath $p.path
if (-not (Test-Path -LiteralPath $folder -PathType Container)) { Fail 'ObjectNotFound' 'there is no such folder' }
Plain $p.path
$bytes = [byte[]]@()
if ($parts.Count -gt 1) { $bytes = [Convert]::FromBase64String($parts[1]) }
$backup = $null
if (Test-Path -LiteralPath $p.path) {
  $item = Get-Item -LiteralPath $p.path -Force
  if ($item.PSIsContainer) { Fail 'kind' 'it is not a regular file' }
  if ($item.Length -gt $p.max_bytes) { Fail 'large' 'the file is too large' }
  $number = 1
  do {
    $backup = $p.path + '.BAK_' + $p.stamp
    if ($number -gt 1) { $backup += '_' + $number }
    $number++
  } while (Test-Path -LiteralPath $backup)
  Copy-Item -LiteralPath $p.path -Destination $backup
  if ($p.append) { $bytes = [byte[]]([IO.File]::ReadAllBytes($p.path) + $bytes) }
}
if ($bytes.Length -gt $p.max_bytes) { Fail 'large' 'the file would be too large' }
$fresh = Join-Path $folder ('.waygate-' + [Guid]::NewGuid() + '.tmp')
[IO.File]::WriteAllBytes($fresh, $bytes)
try {
  if ($backup) { [IO.File]::Replace($fresh, $p.path, [NullString]::Value) }
  else { Move-Item -LiteralPath $fresh -Destination $p.path }
} catch { Remove-Item -LiteralPath $fresh -Force; throw }
$hash = (Get-FileHash -LiteralPath $p.path -Algorithm SHA256).Hash.ToLowerInvariant()
Say @{ path = (Get-Item -LiteralPath $p.path -Force).FullName; backup = $backup; sha256 = $hash }
