"""Drives the stand-in with pywinrm, a client of others. Usage: check.py PORT CERT AUTH."""

import sys
from winrm.exceptions import InvalidCredentialsError, WinRMOperationTimeoutError
from winrm.protocol import Protocol

PORT, CERT, AUTH = sys.argv[1:4]


def client(password, auth=AUTH):
    return Protocol(
        endpoint="https://localhost:%s/wsman" % PORT, transport=auth, username="CORP\\ops", password=password,
        ca_trust_path=CERT, proxy=None,
    )


good = client("pass-word-hunter2")
shell = good.open_shell(codepage=65001)
command = good.run_command(shell, "hostname", ["/all"])
out, err, code = good.get_command_output(shell, command)
assert (out, err, code) == (b"hostname /all\n", b"", 0), (out, err, code)
good.cleanup_command(shell, command)
good.close_shell(shell)
try:
    good.run_command(shell, "hostname")
    raise SystemExit("a closed shell took a command")
except Exception as error:
    assert "2150858843" in str(error) or "not found" in str(error), error
try:
    client("wrong").open_shell()
    raise SystemExit("a wrong password was taken")
except InvalidCredentialsError:
    pass
print("pywinrm agrees")
