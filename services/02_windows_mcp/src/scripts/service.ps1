$service = Get-Service -Name ([WildcardPattern]::Escape($p.name))
$before = [string]$service.Status
switch ($p.action) {
  'start' { if ($before -ne 'Running') { Start-Service -InputObject $service } }
  'stop' { if ($before -ne 'Stopped') { Stop-Service -InputObject $service -Force:$false } }
  'restart' { Restart-Service -InputObject $service }
}
$service.Refresh()
Say @{ name = $service.ServiceName; display_name = $service.DisplayName; before = $before
  state = [string]$service.Status; start_type = [string]$service.StartType; can_stop = [bool]$service.CanStop }
