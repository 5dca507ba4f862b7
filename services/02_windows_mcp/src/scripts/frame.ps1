$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$utf8 = New-Object Text.UTF8Encoding $false
[Console]::OutputEncoding = $utf8
$parts = @([Console]::In.ReadToEnd() -split '\s+' | Where-Object { $_ })
$p = ConvertFrom-Json $utf8.GetString([Convert]::FromBase64String($parts[0]))
function Say($value) { [Console]::Out.WriteLine((ConvertTo-Json $value -Compress -Depth 5)) }
function Fail($kind, $message) { Say @{ error = @{ kind = $kind; message = $message } }; exit 1 }
function Utc($time) { if ($time) { $time.ToUniversalTime().ToString('yyyy-MM-ddTHH:mm:ssZ') } }
function Plain($path) {
  $at = $path
  while ($at) {
    $item = Get-Item -LiteralPath $at -Force -ErrorAction SilentlyContinue
    if ($item -and ($item.Attributes -band [IO.FileAttributes]::ReparsePoint)) { Fail 'link' 'the path goes through a link' }
    $at = Split-Path -LiteralPath $at
  }
}
try {
#BODY#
} catch { Fail ([string]$_.CategoryInfo.Category) ([string]$_.Exception.Message) }
