//! Words: from a line to an argument vector, and back for another shell or a person.

/// Words of one command.
const MAX_WORDS: usize = 256;
/// Bytes of a line.
const MAX_LINE: usize = 64 * 1024;

/// Why a line cannot be split into words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WordsError {
    /// Something a shell would act on.
    #[error(
        "{0} is refused outside single quotes: there is no shell here, so give one command and put \
         text that holds it in single quotes"
    )]
    Metacharacter(&'static str),
    /// A quote that is not closed, or a backslash at the end.
    #[error("{0} is not closed")]
    Open(&'static str),
    /// No word at all.
    #[error("there is no command")]
    Empty,
    /// A NUL byte, which no argument can hold.
    #[error("a NUL is refused")]
    Nul,
    /// More than 256 words or 64 KiB.
    #[error("longer than 256 words or 64 KiB")]
    TooLong,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Quote {
    None,
    Single,
    Double,
}

/// Splits a line as POSIX does with quotes and backslashes, and nothing else: no expansion, no
/// comments. What a shell would act on is refused outside single quotes, also after a backslash.
///
/// # Errors
/// [`WordsError`], which names the character.
pub fn split(line: &str) -> Result<Vec<String>, WordsError> {
    if line.len() > MAX_LINE {
        return Err(WordsError::TooLong);
    }
    let mut splitter = Splitter::default();
    let mut rest = line.chars().peekable();
    while let Some(c) = rest.next() {
        if c == '\0' {
            return Err(WordsError::Nul);
        }
        if splitter.quote != Quote::Single {
            refuse(c, rest.peek().copied())?;
        }
        let next = if c == '\\' && splitter.quote != Quote::Single {
            rest.peek().copied()
        } else {
            None
        };
        if splitter.take(c, next)? {
            // Refused characters stay refused behind a backslash.
            if let Some(escaped) = rest.next() {
                refuse(escaped, rest.peek().copied())?;
            }
        }
    }
    splitter.finish()
}

fn refuse(c: char, next: Option<char>) -> Result<(), WordsError> {
    let name = match (c, next) {
        (';', _) => "';'",
        ('&', _) => "'&'",
        ('|', _) => "'|'",
        ('<', _) => "'<'",
        ('>', _) => "'>'",
        ('`', _) => "a backtick",
        ('\n' | '\r', _) => "a newline",
        ('$', Some('(')) => "'$('",
        ('$', Some('{')) => "'${'",
        _ => return Ok(()),
    };
    Err(WordsError::Metacharacter(name))
}

struct Splitter {
    words: Vec<String>,
    /// `None` between words; an empty word is `Some("")`.
    word: Option<String>,
    quote: Quote,
}

impl Default for Splitter {
    fn default() -> Self {
        Self {
            words: Vec::new(),
            word: None,
            quote: Quote::None,
        }
    }
}

impl Splitter {
    /// Takes a character; `next` is what follows a backslash. True when `next` was taken, too.
    fn take(&mut self, c: char, next: Option<char>) -> Result<bool, WordsError> {
        match (self.quote, c) {
            (Quote::None, '\\') => {
                self.push(next.ok_or(WordsError::Open("a backslash"))?);
                return Ok(true);
            }
            (Quote::Double, '\\') => match next {
                Some(escaped @ ('\\' | '"' | '$')) => {
                    self.push(escaped);
                    return Ok(true);
                }
                _ => self.push('\\'),
            },
            (Quote::None, '\'') => self.open(Quote::Single),
            (Quote::None, '"') => self.open(Quote::Double),
            (Quote::Single, '\'') | (Quote::Double, '"') => self.quote = Quote::None,
            (Quote::None, ' ' | '\t') => self.end_word()?,
            (_, other) => self.push(other),
        }
        Ok(false)
    }

    fn open(&mut self, quote: Quote) {
        self.quote = quote;
        self.word.get_or_insert_default();
    }

    fn push(&mut self, c: char) {
        self.word.get_or_insert_default().push(c);
    }

    fn end_word(&mut self) -> Result<(), WordsError> {
        self.words.extend(self.word.take());
        if self.words.len() > MAX_WORDS {
            return Err(WordsError::TooLong);
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<String>, WordsError> {
        match self.quote {
            Quote::Single => return Err(WordsError::Open("a single quote")),
            Quote::Double => return Err(WordsError::Open("a double quote")),
            Quote::None => self.end_word()?,
        }
        if self.words.is_empty() {
            return Err(WordsError::Empty);
        }
        Ok(self.words)
    }
}

/// The words as one line for a POSIX shell on another machine: each in single quotes, so that it
/// arrives as it is.
#[must_use]
pub fn quoted<S: AsRef<str>>(words: &[S]) -> String {
    let quote = |word: &S| format!("'{}'", word.as_ref().replace('\'', r"'\''"));
    words.iter().map(quote).collect::<Vec<_>>().join(" ")
}

/// Text for a person who decides: printable ASCII and letters stay, everything else (control
/// characters, invisible ones, those that change direction, the backslash) is written as its number.
#[must_use]
pub fn shown(text: &str) -> String {
    // Letters that show nothing.
    let blank = |c| matches!(c, '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}');
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        let plain = (c.is_ascii_graphic() && c != '\\') || c == ' ';
        if plain || (!c.is_ascii() && c.is_alphanumeric() && !blank(c)) {
            shown.push(c);
        } else {
            shown.extend(c.escape_unicode());
        }
    }
    shown
}

/// The words for a person who decides: one a line, numbered, see [`shown`].
#[must_use]
pub fn listed<S: AsRef<str>>(words: &[S]) -> String {
    let line = |(number, word): (usize, &S)| format!("[{number}] {}", shown(word.as_ref()));
    let lines: Vec<_> = words.iter().enumerate().map(line).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_are_split_as_posix_does() {
        for (line, words) in [
            ("echo hi", vec!["echo", "hi"]),
            ("  a\tb  ", vec!["a", "b"]),
            (r#"a 'b c' "d e" f\ g"#, vec!["a", "b c", "d e", "f g"]),
            (r#"'' "" x"y"'z'"#, vec!["", "", "xyz"]),
            (
                r#"'a;b|c' "it's" '"' "\"" "\\" "\n""#,
                vec!["a;b|c", "it's", "\"", "\"", "\\", "\\n"],
            ),
            (
                "* ~ $HOME {a,b} # !",
                vec!["*", "~", "$HOME", "{a,b}", "#", "!"],
            ),
            ("'$(id)' '`id`' '\n'", vec!["$(id)", "`id`", "\n"]),
        ] {
            assert_eq!(split(line).unwrap(), words, "{line}");
        }
    }

    #[test]
    fn what_cannot_be_split_is_named() {
        for (line, error) in [
            ("", WordsError::Empty),
            ("  ", WordsError::Empty),
            ("a 'b", WordsError::Open("a single quote")),
            ("a \"b", WordsError::Open("a double quote")),
            ("a \\", WordsError::Open("a backslash")),
            ("a\0", WordsError::Nul),
            ("'\0'", WordsError::Nul),
            ("a \\; b", WordsError::Metacharacter("';'")),
            ("a \"$(id)\"", WordsError::Metacharacter("'$('")),
            ("a \"\\`id\\`\"", WordsError::Metacharacter("a backtick")),
        ] {
            assert_eq!(split(line), Err(error), "{line:?}");
        }
        assert_eq!(split(&"a ".repeat(300)), Err(WordsError::TooLong));
        assert_eq!(split(&"a".repeat(70_000)), Err(WordsError::TooLong));
    }

    #[test]
    fn a_person_sees_what_is_hidden() {
        assert_eq!(shown("a b"), "a b");
        assert_eq!(shown("ünïcode 漢字"), "ünïcode 漢字");
        assert_eq!(
            shown("x\u{202e}y\u{200b}\x1b[1m\n\\"),
            r"x\u{202e}y\u{200b}\u{1b}[1m\u{a}\u{5c}"
        );
        assert_eq!(listed(&["rm", "-r", "a b"]), "[0] rm\n[1] -r\n[2] a b");
    }

    proptest! {
        #[test]
        fn quoted_words_come_back(words in prop::collection::vec("[^\0]{0,20}", 1..10)) {
            prop_assert_eq!(split(&quoted(&words)), Ok(words));
        }

        #[test]
        fn no_line_makes_it_panic(line in "(?s).{0,200}") {
            drop(split(&line));
        }
    }
}
