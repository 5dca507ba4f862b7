//! Lines in, bounded; frames out, one a line.

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

/// What was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A line without its end; never blank.
    Text(Bytes),
    /// A line longer than the limit; it was skipped.
    TooLong,
    /// There is no more.
    End,
}

/// Splits a stream at line ends, `\n` or `\r\n`.
pub(super) struct Lines<R> {
    input: R,
    buffer: BytesMut,
    limit: usize,
    /// Bytes of the buffer known to hold no line end.
    searched: usize,
    skipping: bool,
    ended: bool,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(super) fn new(input: R, limit: usize) -> Self {
        Self {
            input,
            buffer: BytesMut::new(),
            limit,
            searched: 0,
            skipping: false,
            ended: false,
        }
    }

    /// The next line. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Line {
        loop {
            if let Some(line) = self.take() {
                return line;
            }
            if self.ended {
                return Line::End;
            }
            match self.input.read_buf(&mut self.buffer).await {
                Ok(0) => self.ended = true,
                Ok(_) => {}
                Err(error) => {
                    tracing::debug!(event = "stdio_read", %error, "the input broke off");
                    self.ended = true;
                }
            }
        }
    }

    /// A whole line out of the buffer; at the end of the input what is left of it.
    fn take(&mut self) -> Option<Line> {
        loop {
            let unknown = self.buffer.iter().skip(self.searched);
            let found = unknown.take_while(|byte| **byte != b'\n').count() + self.searched;
            if found == self.buffer.len() {
                self.searched = found;
                return self.take_rest();
            }
            let end = found;
            self.searched = 0;
            let mut line = self.buffer.split_to(end + 1);
            line.truncate(end);
            if std::mem::take(&mut self.skipping) {
                continue;
            }
            if line.len() > self.limit {
                return Some(Line::TooLong);
            }
            if let Some(line) = text(line) {
                return Some(line);
            }
        }
    }

    fn take_rest(&mut self) -> Option<Line> {
        if self.buffer.len() > self.limit {
            drop(self.take_all());
            let first = !std::mem::replace(&mut self.skipping, true);
            return first.then_some(Line::TooLong);
        }
        if self.skipping {
            drop(self.take_all());
        }
        if !self.ended {
            return None;
        }
        text(self.take_all())
    }

    fn take_all(&mut self) -> BytesMut {
        self.searched = 0;
        self.buffer.split()
    }
}

fn text(line: BytesMut) -> Option<Line> {
    let blank = line.iter().all(u8::is_ascii_whitespace);
    (!blank).then(|| Line::Text(line.freeze()))
}

/// Writes every frame on a line of its own, until there are no more senders or the output is gone.
pub(super) async fn write_all<W: AsyncWrite + Unpin>(
    mut frames: mpsc::Receiver<Bytes>,
    mut output: W,
) {
    while let Some(frame) = frames.recv().await {
        let mut line = BytesMut::with_capacity(frame.len() + 1);
        // Inside JSON a line end can only stand between tokens, where a blank means the same.
        line.extend(frame.iter().map(|byte| {
            if matches!(byte, b'\n' | b'\r') {
                b' '
            } else {
                *byte
            }
        }));
        line.extend_from_slice(b"\n");
        let written = async {
            output.write_all(&line).await?;
            output.flush().await
        };
        if let Err(error) = written.await {
            tracing::debug!(event = "stdio_write", %error, "the output is gone");
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(input: &[u8], limit: usize) -> Vec<Line> {
        let mut lines = Lines::new(input, limit);
        let mut all = Vec::new();
        loop {
            match lines.next().await {
                Line::End => return all,
                line => all.push(line),
            }
        }
    }

    fn line(text: &'static str) -> Line {
        Line::Text(Bytes::from_static(text.as_bytes()))
    }

    #[tokio::test]
    async fn lines_are_split_and_blank_ones_skipped() {
        assert_eq!(
            check(b"a\n\n \r\nb\nc", 9).await,
            [line("a"), line("b"), line("c")]
        );
        assert_eq!(check(b"", 9).await, []);
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_is_skipped_once() {
        assert_eq!(
            check(b"aaaaaaaaaa\nb\n", 5).await,
            [Line::TooLong, line("b")]
        );
        let (mut client, server) = tokio::io::duplex(4);
        let sent = async {
            client.write_all(b"aaaaaaaaaaaa\nb\n\n").await.unwrap();
            drop(client);
        };
        let mut lines = Lines::new(server, 5);
        let read = async { [lines.next().await, lines.next().await, lines.next().await] };
        let ((), read) = tokio::join!(sent, read);
        assert_eq!(read, [Line::TooLong, line("b"), Line::End]);
    }

    #[tokio::test]
    async fn frames_stay_on_one_line() {
        let (send, frames) = mpsc::channel(2);
        send.send(Bytes::from_static(b"{\n}")).await.unwrap();
        drop(send);
        let mut output = Vec::new();
        write_all(frames, &mut output).await;
        assert_eq!(output, b"{ }\n");
    }
}
