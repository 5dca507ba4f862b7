Plain $p.path
$item = Get-Item -LiteralPath $p.path -Force
if (-not $item.PSIsContainer) { Fail 'kind' 'it is not a directory' }
$all = @(Get-ChildItem -LiteralPath $item.FullName -Force | Sort-Object Name)
$entries = @($all | Select-Object -First $p.limit | ForEach-Object {
  $type = 'file'
  if ($_.Attributes -band [IO.FileAttributes]::ReparsePoint) { $type = 'symlink' }
  elseif ($_.PSIsContainer) { $type = 'dir' }
  $owner = ''
  try { $owner = (Get-Acl -LiteralPath $_.FullName).Owner } catch { $owner = '' }
  $size = 0
  if (-not $_.PSIsContainer) { $size = $_.Length }
  @{ name = $_.Name; path = $_.FullName; type = $type; size = $size; mode = $_.Mode
    owner = $owner; modified = (Utc $_.LastWriteTime) }
})
Say @{ path = $item.FullName; entries = $entries; truncated = ($all.Count -gt $entries.Count) }
