//! The answers that come, read as a flat list of elements. Document types, and with them entities of
//! one's own, are refused; numbers and depth are bounded.

use super::WsmanError;
use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};
use std::fmt;

const MAX_ELEMENTS: usize = 20_000;
const MAX_DEPTH: usize = 64;
/// Longest message that is repeated, in characters.
const MAX_MESSAGE: usize = 300;
/// A question for output that was open for too long: to be asked again.
const TIMED_OUT: &str = "2150858793";

/// What a host refused, in its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    code: String,
    message: String,
}

impl Fault {
    /// Whether there was no output yet.
    pub(super) fn is_wait(&self) -> bool {
        self.code == TIMED_OUT
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}

/// An answer.
#[derive(Debug)]
pub(super) struct Answer(Vec<Element>);

/// One element; children are elements of their own.
#[derive(Debug, Default)]
pub(super) struct Element {
    /// Without its prefix.
    pub(super) name: String,
    attributes: Vec<(String, String)>,
    pub(super) text: String,
}

impl Element {
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        let mut attributes = self.attributes.iter();
        attributes.find_map(|(key, value)| (key == name).then_some(value.as_str()))
    }
}

impl Answer {
    /// Reads one; a fault is an error.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, WsmanError> {
        let answer = parse(bytes)?;
        match answer.fault() {
            Some(fault) => Err(WsmanError::Fault(fault)),
            None => Ok(answer),
        }
    }

    /// The elements of a name, in order.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.0.iter().filter(move |element| element.name == name)
    }

    /// The text of the first element of a name.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let mut elements = self.0.iter();
        let found = elements.find(|element| element.name == name);
        found.map(|element| element.text.trim())
    }

    fn fault(&self) -> Option<Fault> {
        self.all("Fault").next()?;
        let own = self.all("WSManFault").next();
        let code = own.and_then(|it| it.attribute("Code"));
        // Code and subcode both have values; the last says most.
        let value = self.all("Value").last().map(|it| it.text.trim());
        let message = ["Text", "Message"].into_iter();
        let message = message
            .filter_map(|name| self.text(name))
            .find(|it| !it.is_empty());
        let message = shared::command::shown(message.unwrap_or("no reason given"));
        Some(Fault {
            code: code.or(value).unwrap_or_default().to_owned(),
            message: message.chars().take(MAX_MESSAGE).collect(),
        })
    }
}

fn parse(bytes: &[u8]) -> Result<Answer, WsmanError> {
    let text = std::str::from_utf8(bytes).map_err(odd)?;
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    let mut found: Vec<Element> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    loop {
        let event = reader.read_event().map_err(odd)?;
        match event {
            Event::Start(start) => {
                open.push(found.len());
                found.push(element(&start)?);
            }
            Event::Empty(start) => found.push(element(&start)?),
            Event::End(_) => drop(open.pop()),
            Event::Text(text) => add(
                &mut found,
                &open,
                &text.xml_content(XmlVersion::Implicit1_0),
            ),
            Event::CData(text) => add(
                &mut found,
                &open,
                &text.xml_content(XmlVersion::Implicit1_0),
            ),
            Event::GeneralRef(name) => add(&mut found, &open, &character(&name)?),
            Event::DocType(_) => return Err(WsmanError::Odd("a document type")),
            Event::Eof => break,
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
        if found.len() > MAX_ELEMENTS || open.len() > MAX_DEPTH {
            return Err(WsmanError::Odd("too many elements"));
        }
    }
    match (found.first(), open.is_empty()) {
        (Some(root), true) if root.name == "Envelope" => Ok(Answer(found)),
        _ => Err(WsmanError::Odd("no envelope")),
    }
}

fn element(start: &BytesStart<'_>) -> Result<Element, WsmanError> {
    let mut attributes = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(odd)?;
        let value = attribute
            .normalized_value(XmlVersion::Implicit1_0)
            .map_err(odd)?;
        let name = attribute.key.local_name();
        attributes.push((text(name.as_ref()), value.into_owned()));
    }
    Ok(Element {
        name: text(start.local_name().as_ref()),
        attributes,
        text: String::new(),
    })
}

fn character(name: &BytesRef<'_>) -> Result<String, WsmanError> {
    if let Some(character) = name.resolve_char_ref().map_err(odd)? {
        return Ok(character.to_string());
    }
    let content = name.xml_content(XmlVersion::Implicit1_0);
    let known = resolve_predefined_entity(&content);
    known
        .map(str::to_owned)
        .ok_or(WsmanError::Odd("an entity of its own"))
}

fn add(found: &mut [Element], open: &[usize], text: &str) {
    if let Some(element) = open.last().and_then(|at| found.get_mut(*at)) {
        element.text.push_str(text);
    }
}

fn text(name: impl AsRef<str>) -> String {
    name.as_ref().to_owned()
}

fn odd(error: impl fmt::Display) -> WsmanError {
    tracing::warn!(event = "winrm_answer", %error, "an odd answer");
    WsmanError::Odd("its XML cannot be read")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAULT: &str = "<s:Envelope xmlns:s='x'><s:Body><s:Fault><s:Code><s:Value>s:Receiver</s:Value>\
         <s:Subcode><s:Value>w:TimedOut</s:Value></s:Subcode></s:Code><s:Reason><s:Text>late &amp; sorry</s:Text>\
         </s:Reason><s:Detail><f:WSManFault xmlns:f='y' Code='2150858793'/></s:Detail></s:Fault></s:Body></s:Envelope>";

    #[test]
    fn a_fault_is_told_with_its_number_and_words() {
        let Err(WsmanError::Fault(fault)) = Answer::read(FAULT.as_bytes()) else {
            panic!("no fault");
        };
        assert!(fault.is_wait());
        assert_eq!(fault.to_string(), "late & sorry (2150858793)");
    }

    #[test]
    fn what_is_no_envelope_is_refused() {
        let deep = format!("<Envelope>{}", "<a>".repeat(100));
        let many = format!("<Envelope>{}</Envelope>", "<a/>".repeat(MAX_ELEMENTS));
        for bad in [
            "",
            "text",
            "<html/>",
            "<Envelope>",
            "<Envelope></b>",
            "<!DOCTYPE x [<!ENTITY a 'b'>]><Envelope>&a;</Envelope>",
            "<Envelope>&own;</Envelope>",
            "<Envelope a='1' a='2'/>",
            deep.as_str(),
            many.as_str(),
        ] {
            assert!(
                matches!(Answer::read(bad.as_bytes()), Err(WsmanError::Odd(_))),
                "{bad:.60}"
            );
        }
    }
}
