//! The messages that are sent, as text. What comes from outside is escaped or encoded.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use quick_xml::escape::escape;
use std::fmt::Write;
use uuid::Uuid;

const SHELL: &str = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell";
const TRANSFER: &str = "http://schemas.xmlsoap.org/ws/2004/09/transfer";
/// Largest answer the host may send at once, in bytes, and how long it may keep a question open.
const LIMITS: &str = "<w:MaxEnvelopeSize s:mustUnderstand=\"true\">512000</w:MaxEnvelopeSize>\
     <w:OperationTimeout>PT20S</w:OperationTimeout>";

/// Asks a host what it is.
pub(super) fn identify() -> String {
    "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\" \
     xmlns:i=\"http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd\">\
     <s:Header/><s:Body><i:Identify/></s:Body></s:Envelope>"
        .to_owned()
}

/// Messages to one host.
pub(super) struct Writer {
    url: String,
}

impl Writer {
    pub(super) const fn new(url: String) -> Self {
        Self { url }
    }

    /// Opens a shell without profile whose texts are UTF-8.
    pub(super) fn create(&self) -> String {
        let options = options(&[("WINRS_NOPROFILE", "TRUE"), ("WINRS_CODEPAGE", "65001")]);
        let body = "<rsp:Shell><rsp:IdleTimeOut>PT600S</rsp:IdleTimeOut>\
             <rsp:InputStreams>stdin</rsp:InputStreams>\
             <rsp:OutputStreams>stdout stderr</rsp:OutputStreams></rsp:Shell>";
        let action = format!("{TRANSFER}/Create");
        self.message(&action, None, &options, body)
    }

    /// Starts a program in a shell, without `cmd`.
    pub(super) fn command(&self, shell: &str, program: &str, arguments: &[String]) -> String {
        let options = options(&[
            ("WINRS_CONSOLEMODE_STDIN", "FALSE"),
            ("WINRS_SKIP_CMD_SHELL", "TRUE"),
        ]);
        let mut body = format!(
            "<rsp:CommandLine><rsp:Command>{}</rsp:Command>",
            escape(program)
        );
        for argument in arguments {
            put(
                &mut body,
                format_args!("<rsp:Arguments>{}</rsp:Arguments>", escape(argument)),
            );
        }
        body.push_str("</rsp:CommandLine>");
        let action = format!("{SHELL}/Command");
        self.message(&action, Some(shell), &options, &body)
    }

    /// Gives a program input; `last` ends it.
    pub(super) fn send(&self, shell: &str, command: &str, part: &[u8], last: bool) -> String {
        let body = format!(
            "<rsp:Send><rsp:Stream Name=\"stdin\" CommandId=\"{}\" End=\"{last}\">{}</rsp:Stream></rsp:Send>",
            escape(command),
            STANDARD.encode(part),
        );
        self.message(&format!("{SHELL}/Send"), Some(shell), "", &body)
    }

    /// Asks for output.
    pub(super) fn receive(&self, shell: &str, command: &str) -> String {
        let body = format!(
            "<rsp:Receive><rsp:DesiredStream CommandId=\"{}\">stdout stderr</rsp:DesiredStream></rsp:Receive>",
            escape(command),
        );
        self.message(&format!("{SHELL}/Receive"), Some(shell), "", &body)
    }

    /// Ends a program.
    pub(super) fn terminate(&self, shell: &str, command: &str) -> String {
        let body = format!(
            "<rsp:Signal CommandId=\"{}\"><rsp:Code>{SHELL}/signal/terminate</rsp:Code></rsp:Signal>",
            escape(command),
        );
        self.message(&format!("{SHELL}/Signal"), Some(shell), "", &body)
    }

    /// Closes a shell with everything in it.
    pub(super) fn delete(&self, shell: &str) -> String {
        self.message(&format!("{TRANSFER}/Delete"), Some(shell), "", "")
    }

    fn message(&self, action: &str, shell: Option<&str>, options: &str, body: &str) -> String {
        let selector = shell.map_or_else(String::new, |shell| {
            let shell = escape(shell);
            format!(
                "<w:SelectorSet><w:Selector Name=\"ShellId\">{shell}</w:Selector></w:SelectorSet>"
            )
        });
        format!(
            "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\" \
             xmlns:a=\"http://schemas.xmlsoap.org/ws/2004/08/addressing\" \
             xmlns:w=\"http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd\" \
             xmlns:p=\"http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd\" \
             xmlns:rsp=\"{SHELL}\"><s:Header><a:To>{}</a:To>\
             <a:ReplyTo><a:Address s:mustUnderstand=\"true\">\
             http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:Address></a:ReplyTo>\
             <a:MessageID>uuid:{}</a:MessageID>{LIMITS}\
             <w:Locale xml:lang=\"en-US\" s:mustUnderstand=\"false\"/>\
             <p:DataLocale xml:lang=\"en-US\" s:mustUnderstand=\"false\"/>\
             <w:ResourceURI s:mustUnderstand=\"true\">{SHELL}/cmd</w:ResourceURI>\
             <a:Action s:mustUnderstand=\"true\">{action}</a:Action>{selector}{options}</s:Header>\
             <s:Body>{body}</s:Body></s:Envelope>",
            escape(&self.url),
            Uuid::new_v4(),
        )
    }
}

fn options(pairs: &[(&str, &str)]) -> String {
    let mut text = "<w:OptionSet>".to_owned();
    for (name, value) in pairs {
        put(
            &mut text,
            format_args!("<w:Option Name=\"{name}\">{value}</w:Option>"),
        );
    }
    text.push_str("</w:OptionSet>");
    text
}

fn put(text: &mut String, more: std::fmt::Arguments<'_>) {
    text.write_fmt(more).expect("text takes everything");
}
