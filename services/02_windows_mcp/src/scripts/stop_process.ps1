$found = @(Get-Process | Where-Object {
  (($p.name) -and ($_.ProcessName -eq $p.name)) -or (($null -ne $p.id) -and ($_.Id -eq $p.id))
} | Sort-Object Id | Select-Object -First 1000)
$stopped = @($found | ForEach-Object {
  Stop-Process -Id $_.Id -Force:([bool]$p.force) -Confirm:$false
  @{ id = $_.Id; name = $_.ProcessName }
})
Say @{ stopped = $stopped }
