$os = Get-CimInstance -ClassName Win32_OperatingSystem
Say @{ caption = $os.Caption; version = $os.Version; build_number = $os.BuildNumber
  architecture = $os.OSArchitecture; last_boot_at = (Utc $os.LastBootUpTime)
  install_date = (Utc $os.InstallDate); total_memory_bytes = [long]$os.TotalVisibleMemorySize * 1024 }
