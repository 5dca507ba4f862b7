Plain $p.path
$item = Get-Item -LiteralPath $p.path -Force
if ($item.PSIsContainer) { Fail 'kind' 'it is not a regular file' }
if ($item.Length -gt $p.max_bytes) { Fail 'large' 'the file is too large' }
$bytes = [byte[]]@(Get-Content -LiteralPath $item.FullName -Encoding Byte -ReadCount 0 -TotalCount $p.limit)
Say @{ path = $item.FullName; size = $item.Length; modified = (Utc $item.LastWriteTime)
  content = [Convert]::ToBase64String($bytes) }
