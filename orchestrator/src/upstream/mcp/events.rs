//! Server-sent events out of a stream of bytes.

/// Bytes of one event.
const MAX_EVENT: usize = 32 * 1024 * 1024;

/// One event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Event {
    /// Empty means `message`.
    pub(super) kind: String,
    pub(super) data: String,
    pub(super) id: Option<String>,
    /// Milliseconds to wait before coming back; `None` when it does not say.
    pub(super) retry: Option<u64>,
}

/// An event that is larger than may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event is too large")]
pub(super) struct TooLarge;

/// What was read and is no event yet.
#[derive(Default)]
pub(super) struct Events {
    line: Vec<u8>,
    /// The last byte was a carriage return, so a line feed after it is no second line end.
    returned: bool,
    event: Event,
    started: bool,
}

impl Events {
    /// The events that are complete with these bytes.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<Vec<Event>, TooLarge> {
        let mut complete = Vec::new();
        for byte in bytes {
            match byte {
                b'\n' if self.returned => self.returned = false,
                b'\n' | b'\r' => {
                    self.returned = *byte == b'\r';
                    complete.extend(self.end_of_line());
                }
                other => {
                    self.returned = false;
                    self.line.push(*other);
                }
            }
            if self.line.len() + self.event.data.len() > MAX_EVENT {
                return Err(TooLarge);
            }
        }
        Ok(complete)
    }

    fn end_of_line(&mut self) -> Option<Event> {
        let line = String::from_utf8_lossy(&self.line).into_owned();
        self.line.clear();
        if line.is_empty() {
            let mut event = std::mem::take(&mut self.event);
            if event.data.ends_with('\n') {
                event.data.pop();
            }
            return std::mem::take(&mut self.started).then_some(event);
        }
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event.kind),
            "data" => {
                self.event.data.push_str(value);
                self.event.data.push('\n');
            }
            "id" => self.event.id = Some(value.to_owned()),
            "retry" => self.event.retry = value.parse().ok(),
            _ => return None,
        }
        self.started = true;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_found_however_they_are_cut() {
        let text = ": hi\r\nevent: endpoint\r\ndata: /m?a=1\r\n\r\nid: 7\ndata: {\"a\":\ndata: 1}\n\nretry: 5\n\n\n";
        for step in [1, 3, 1000] {
            let mut events = Events::default();
            let mut seen = Vec::new();
            for chunk in text.as_bytes().chunks(step) {
                seen.extend(events.feed(chunk).unwrap());
            }
            assert_eq!(seen.len(), 3, "{seen:?}");
            assert_eq!(
                (seen[0].kind.as_str(), seen[0].data.as_str()),
                ("endpoint", "/m?a=1")
            );
            assert_eq!(
                (seen[1].id.as_deref(), seen[1].data.as_str()),
                (Some("7"), "{\"a\":\n1}")
            );
            assert_eq!((seen[2].retry, seen[2].data.as_str()), (Some(5), ""));
        }
    }
}
