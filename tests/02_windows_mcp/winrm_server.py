"""A stand-in for a Windows host: WS-Management over HTTPS with NTLM or Basic.

NTLM is checked by the server side of pyspnego (response, MIC, channel binding), per connection as
http.sys does it. Messages are checked as MS-WSMV asks: namespaces, action, resource, selectors,
command numbers, message numbers that are new. There is no PowerShell here: the scripts of the spoke
are recognised by their exact text and acted out on a small invented machine; any other text is refused.

Usage: winrm_server.py CERT KEY SCRIPTS RECORD OPTIONS(JSON). Prints its port.
"""

import base64, hashlib, http.server, json, os, ssl, sys, threading, time, uuid
import xml.etree.ElementTree as ET

CERT, KEY, SCRIPTS, RECORD = sys.argv[1:5]
OPTIONS = json.loads(sys.argv[5])
USER, PASSWORD = "CORP\\ops", "pass-word-hunter2"
CREDENTIALS = os.path.join(os.path.dirname(RECORD), "ntlm_users")
with open(CREDENTIALS, "w") as out:
    out.write("CORP:ops:%s\n" % PASSWORD)
os.environ["NTLM_USER_FILE"] = CREDENTIALS

import spnego  # noqa: E402  (reads the variable)
import spnego.channel_bindings  # noqa: E402

S = "http://www.w3.org/2003/05/soap-envelope"
A = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
W = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
R = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
T = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
I = "http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"
LOCK = threading.RLock()


def certificate_hash():
    with open(CERT) as pem:
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem.read())).digest()


BINDINGS = spnego.channel_bindings.GssChannelBindings(
    application_data=b"tls-server-end-point:" + certificate_hash()
)


def scripts():
    with open(os.path.join(SCRIPTS, "frame.ps1")) as text:
        frame = text.read()
    found = {}
    for name in os.listdir(SCRIPTS):
        if name != "frame.ps1":
            with open(os.path.join(SCRIPTS, name)) as text:
                found[frame.replace("#BODY#", text.read().rstrip())] = name[:-4]
    return found


class Machine:
    """The invented host."""

    def __init__(self):
        self.files = {"C:\\Logs\\a.txt": b"one\r\ntwo\r\n", "C:\\Logs\\b.bin": bytes([0, 255, 1])}
        self.links = {"C:\\Logs\\link"}
        self.processes = [(4, "System"), (812, "notepad"), (900, "notepad")]
        self.services = {"W3SVC": "Running", "Spooler": "Stopped"}

    def fail(self, kind, message):
        return 1, {"error": {"kind": kind, "message": message}}

    def plain(self, path):
        return not any(path == link or path.startswith(link + "\\") for link in self.links)

    def act(self, name, p, content):
        return getattr(self, name)(p, content)

    def os_info(self, p, content):
        return 0, {
            "caption": "Microsoft Windows Server 2022 Standard", "version": "10.0.20348", "build_number": "20348",
            "architecture": "64-bit", "last_boot_at": "2026-11-01T06:00:00Z",
            "install_date": "2025-01-02T03:04:05Z", "total_memory_bytes": 8589934592,
        }

    def read_file(self, p, content):
        if not self.plain(p["path"]):
            return self.fail("link", "the path goes through a link")
        if p["path"] == "C:\\Logs":
            return self.fail("kind", "it is not a regular file")
        if p["path"] == "C:\\Logs\\denied.txt":
            return self.fail("PermissionDenied", "Access to the path is denied.")
        if p["path"] not in self.files:
            return self.fail("ObjectNotFound", "Cannot find path")
        data = self.files[p["path"]]
        sent = base64.b64encode(data[: p["limit"]]).decode()
        return 0, {"path": p["path"], "size": len(data), "modified": "2026-11-02T00:00:00Z", "content": sent}

    def list_directory(self, p, content):
        if p["path"] != "C:\\Logs":
            return self.fail("ObjectNotFound", "Cannot find path")
        entries = [
            {"name": path.rsplit("\\", 1)[1], "path": path, "type": "file", "size": len(data), "mode": "-a----",
             "owner": "CORP\\ops", "modified": "2026-11-02T00:00:00Z"}
            for path, data in sorted(self.files.items())
        ]
        return 0, {"path": "C:\\Logs", "entries": entries[: p["limit"]], "truncated": len(entries) > p["limit"]}

    def test_path(self, p, content):
        found = p["path"] in self.files or p["path"] == "C:\\Logs"
        if not found:
            return 0, {"exists": False}
        return 0, {"exists": True, "type": "file" if p["path"] in self.files else "dir"}

    def write_file(self, p, content):
        folder = p["path"].rsplit("\\", 1)[0]
        if folder != "C:\\Logs":
            return self.fail("ObjectNotFound", "there is no such folder")
        backup, path = None, p["path"]
        if path in self.files:
            backup, number = path + ".BAK_" + p["stamp"], 1
            while backup in self.files:
                number += 1
                backup = "%s.BAK_%s_%d" % (path, p["stamp"], number)
            self.files[backup] = self.files[path]
            if p["append"]:
                content = self.files[path] + content
        self.files[path] = content
        return 0, {"path": path, "backup": backup, "sha256": hashlib.sha256(content).hexdigest()}

    def get_process(self, p, content):
        fits = lambda it: p["name"] in (None, it[1]) and p["id"] in (None, it[0])
        found = [
            {"id": number, "name": name, "cpu_seconds": 1.5, "working_set_bytes": 4096, "started_at": None,
             "path": None}
            for number, name in self.processes if fits((number, name))
        ]
        return 0, {"processes": found}

    def stop_process(self, p, content):
        gone = [it for it in self.processes if it[1] == p["name"] or it[0] == p["id"]]
        self.processes = [it for it in self.processes if it not in gone]
        return 0, {"stopped": [{"id": number, "name": name} for number, name in gone]}

    def service(self, p, content):
        name = p["name"]
        if name not in self.services:
            return self.fail("ObjectNotFound", "Cannot find any service with service name '%s'." % name)
        before = self.services[name]
        self.services[name] = {"start": "Running", "stop": "Stopped", "restart": "Running"}.get(p["action"], before)
        return 0, {
            "name": name, "display_name": name + " service", "before": before, "state": self.services[name],
            "start_type": "Automatic", "can_stop": self.services[name] == "Running",
        }


MACHINE, KNOWN, SHELLS, SEEN = Machine(), scripts(), {}, set()


def record(**event):
    with LOCK, open(RECORD, "a") as out:
        out.write(json.dumps(event) + "\n")


class Refusal(Exception):
    def __init__(self, code, message, status=500):
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


class Command:
    """A program in a shell."""

    def __init__(self, words):
        self.words, self.stdin, self.ended = words, b"", False
        self.out, self.err, self.code, self.done, self.waits = [], b"", 0, False, 0

    def feed(self, data, end):
        if self.ended:
            raise Refusal("2150858843", "The input was ended.")
        self.stdin += data
        self.ended = end
        if end:
            self.work()

    def work(self):
        if self.words[0] != "powershell" or self.words[1:4] != ["-NoProfile", "-NonInteractive", "-EncodedCommand"]:
            # What an administrator's own client may ask.
            self.say(" ".join(self.words).encode() + b"\n")
            self.done = True
            return
        text = base64.b64decode(self.words[4]).decode("utf-16-le")
        name = KNOWN.get(text)
        parts = self.stdin.split()
        p = json.loads(base64.b64decode(parts[0]))
        content = base64.b64decode(parts[1]) if len(parts) > 1 else b""
        record(script=name, parameters=p, content=len(content))
        if name is None:
            self.err, self.code, self.done = b"no script of the spoke", 99, True
        elif name == "run":
            self.play(p["script"])
        else:
            with LOCK:
                self.code, answer = MACHINE.act(name, p, content)
            self.say(json.dumps(answer).encode() + b"\r\n")
            self.done = True

    def play(self, script):
        """A few commands with known output."""
        if "Start-Sleep" in script:
            return
        if "fail" in script:
            self.err, self.code = b"it failed\r\n", 1
        elif "large" in script:
            self.say(b"x" * 3_000_000)
        else:
            self.say(("did: " + script + "\r\n").encode())
        self.done = True

    def say(self, data):
        self.out += [data[at:at + 100_000] for at in range(0, len(data), 100_000)]


def envelope(action, body, relates):
    return (
        '<s:Envelope xmlns:s="%s" xmlns:a="%s" xmlns:w="%s" xmlns:rsp="%s" xmlns:x="%s"><s:Header>'
        "<a:Action>%s</a:Action><a:MessageID>uuid:%s</a:MessageID><a:RelatesTo>%s</a:RelatesTo></s:Header>"
        "<s:Body>%s</s:Body></s:Envelope>" % (S, A, W, R, T, action, uuid.uuid4(), relates, body)
    )


def fault(refusal):
    return (
        '<s:Envelope xmlns:s="%s"><s:Header/><s:Body><s:Fault><s:Code><s:Value>s:Receiver</s:Value></s:Code>'
        '<s:Reason><s:Text xml:lang="en-US">%s</s:Text></s:Reason><s:Detail><f:WSManFault '
        'xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault" Code="%s"><f:Message>%s</f:Message>'
        "</f:WSManFault></s:Detail></s:Fault></s:Body></s:Envelope>"
        % (S, refusal.message, refusal.code, refusal.message)
    )


def one(parent, path):
    found = parent.find(path, {"s": S, "a": A, "w": W, "r": R, "i": I})
    if found is None:
        raise Refusal("2150858974", "%s is missing" % path, 400)
    return found


def answer(text):
    root = ET.fromstring(text)
    if root.tag != "{%s}Envelope" % S:
        raise Refusal("2150858974", "not an envelope of SOAP 1.2", 400)
    body = one(root, "s:Body")
    if body.find("{%s}Identify" % I) is not None:
        return (
            '<s:Envelope xmlns:s="%s"><s:Header/><s:Body><wsmid:IdentifyResponse xmlns:wsmid="%s">'
            "<wsmid:ProtocolVersion>http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd</wsmid:ProtocolVersion>"
            "<wsmid:ProductVendor>%s</wsmid:ProductVendor><wsmid:ProductVersion>%s</wsmid:ProductVersion>"
            "</wsmid:IdentifyResponse></s:Body></s:Envelope>"
            % (S, I, OPTIONS.get("vendor", "Microsoft Corporation"),
               OPTIONS.get("version", "OS: 10.0.20348 SP: 0.0 Stack: 3.0"))
        )
    head = one(root, "s:Header")
    message = one(head, "a:MessageID").text
    if not message.startswith("uuid:") or message in SEEN:
        raise Refusal("2150858891", "a message number that is not new", 400)
    SEEN.add(message)
    if one(head, "w:ResourceURI").text != R + "/cmd":
        raise Refusal("2150858819", "an unknown resource")
    if not one(head, "a:ReplyTo/a:Address").text.endswith("/role/anonymous"):
        raise Refusal("2150858894", "an address to answer to")
    one(head, "a:To"), one(head, "w:MaxEnvelopeSize")
    action = one(head, "a:Action").text
    record(action=action.rsplit("/", 1)[1])
    if action == T + "/Create":
        shell = one(body, "r:Shell")
        if "stdout" not in one(shell, "r:OutputStreams").text.split():
            raise Refusal("2150858960", "no output is wanted")
        name = str(uuid.uuid4()).upper()
        with LOCK:
            SHELLS[name] = {}
        created = (
            "<x:ResourceCreated><a:Address>%s</a:Address><a:ReferenceParameters><w:ResourceURI>%s/cmd"
            '</w:ResourceURI><w:SelectorSet><w:Selector Name="ShellId">%s</w:Selector></w:SelectorSet>'
            "</a:ReferenceParameters></x:ResourceCreated><rsp:Shell><rsp:ShellId>%s</rsp:ShellId></rsp:Shell>"
            % (one(head, "a:To").text, R, name, name)
        )
        return envelope(T + "/CreateResponse", created, message)
    selector = one(head, "w:SelectorSet/w:Selector")
    shell = SHELLS.get(selector.text)
    if selector.get("Name") != "ShellId" or shell is None:
        raise Refusal("2150858843", "The shell was not found on the server.")
    if action == T + "/Delete":
        with LOCK:
            del SHELLS[selector.text]
        return envelope(T + "/DeleteResponse", "", message)
    return envelope(action + "Response", in_shell(action, shell, body), message)


def in_shell(action, shell, body):
    def command(name):
        if name not in shell:
            raise Refusal("2150858843", "The command was not found.")
        return shell[name]

    if action == R + "/Command":
        line = one(body, "r:CommandLine")
        words = [one(line, "r:Command").text] + [it.text for it in line.findall("{%s}Arguments" % R)]
        name = str(uuid.uuid4()).upper()
        shell[name] = Command(words)
        return "<rsp:CommandResponse><rsp:CommandId>%s</rsp:CommandId></rsp:CommandResponse>" % name
    if action == R + "/Send":
        stream = one(body, "r:Send/r:Stream")
        if stream.get("Name") != "stdin":
            raise Refusal("2150858960", "an unknown stream")
        data = base64.b64decode(stream.text or "", validate=True)
        command(stream.get("CommandId")).feed(data, stream.get("End") == "true")
        return "<rsp:SendResponse/>"
    if action == R + "/Receive":
        wanted = one(body, "r:Receive/r:DesiredStream")
        name = wanted.get("CommandId")
        return received(name, command(name))
    if action == R + "/Signal":
        signal = one(body, "r:Signal")
        if not one(signal, "r:Code").text.startswith(R + "/signal/"):
            raise Refusal("2150858960", "an unknown signal")
        command(signal.get("CommandId")).done = True
        return "<rsp:SignalResponse/>"
    raise Refusal("2150858770", "an unknown action")


def received(name, command):
    if command.words[0] != "powershell" and not command.done:
        command.work()
    if not command.done:
        # A program that says nothing: the question is kept open for a moment.
        time.sleep(0.2)
        raise Refusal("2150858793", "The WS-Management service cannot complete the operation within the time specified.")
    parts = [("stdout", command.out.pop(0))] if command.out else []
    last = not command.out
    if last and command.err:
        parts.append(("stderr", command.err))
    text = "".join(
        '<rsp:Stream Name="%s" CommandId="%s">%s</rsp:Stream>' % (kind, name, base64.b64encode(data).decode())
        for kind, data in parts
    )
    state = "Done" if last else "Running"
    code = "<rsp:ExitCode>%d</rsp:ExitCode>" % command.code if last else ""
    return (
        '<rsp:ReceiveResponse>%s<rsp:CommandState CommandId="%s" State="%s/CommandState/%s">%s</rsp:CommandState>'
        "</rsp:ReceiveResponse>" % (text, name, R, state, code)
    )


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    context, let_in = None, False

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path != "/wsman":
            return self.reply(404, b"")
        if "fault" in OPTIONS and self.let_in:
            return self.reply(OPTIONS["fault"], b"<html>no</html>")
        offered = self.headers.get("Authorization", "")
        if not self.allowed(offered):
            return
        if not self.headers.get("Content-Type", "").startswith("application/soap+xml"):
            return self.reply(415, b"")
        try:
            self.reply(200, answer(body).encode())
        except Refusal as refusal:
            self.reply(refusal.status, fault(refusal).encode())
        except ET.ParseError:
            self.reply(400, fault(Refusal("2150858974", "not XML")).encode())

    def allowed(self, offered):
        """Whether the request may be answered; refuses it otherwise."""
        if OPTIONS.get("auth") == "basic":
            wanted = base64.b64encode(("%s:%s" % (USER, PASSWORD)).encode()).decode()
            if offered == "Basic " + wanted:
                return True
            self.reply(401, b"", "Basic realm=\"WSMAN\"")
            return False
        if self.let_in and not offered:
            return True
        scheme, _, token = offered.partition(" ")
        if scheme.lower() not in ("negotiate", "ntlm") or not token:
            self.reply(401, b"", "Negotiate")
            return False
        return self.step(scheme, base64.b64decode(token))

    def step(self, scheme, token):
        if token[8:9] == b"\x01" or self.context is None:
            self.context, self.let_in = spnego.server(protocol="ntlm", channel_bindings=BINDINGS), False
        try:
            out = self.context.step(token)
        except spnego.exceptions.SpnegoError as error:
            record(refused=str(error)[:200])
            self.context = None
            self.reply(401, b"", "Negotiate")
            return False
        if self.context.complete:
            flags = self.context._context_attr
            record(let_in=self.context.client_principal, flags=int(flags))
            self.let_in = True
            return True
        self.reply(401, b"", "%s %s" % (scheme, base64.b64encode(out).decode()))
        return False

    def reply(self, status, body, challenge=None):
        self.send_response(status)
        if challenge:
            self.send_header("WWW-Authenticate", challenge)
        self.send_header("Content-Type", "application/soap+xml;charset=UTF-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass


def main():
    server = Server(("127.0.0.1", 0), Handler)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(CERT, KEY)
    server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    print(server.server_address[1], flush=True)
    server.serve_forever()


main()
