$found = @(Get-Process | Where-Object {
  ((-not $p.name) -or ($_.ProcessName -eq $p.name)) -and (($null -eq $p.id) -or ($_.Id -eq $p.id))
} | Sort-Object Id | Select-Object -First 1000 | ForEach-Object {
  $started = $null
  try { $started = Utc $_.StartTime } catch { $started = $null }
  @{ id = $_.Id; name = $_.ProcessName; cpu_seconds = [double]$_.CPU; working_set_bytes = [long]$_.WorkingSet64
    started_at = $started; path = $_.Path }
})
Say @{ processes = $found }
