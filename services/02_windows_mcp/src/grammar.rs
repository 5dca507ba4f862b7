//! Whether a line of `PowerShell` only reads: a pipeline of cmdlets an operator has named, with plain
//! words behind them. Anything else is a change, which a person must approve; what would wait for a
//! person or empty a disk is refused. The line itself is not changed here.

use crate::places::Places;
use crate::windows::legible;
use shared::error::Code;
use shared::tool::ToolError;

/// Verbs a cmdlet must have to only read, whoever names it.
const VERBS: [&str; 6] = ["Get-", "Test-", "Select-", "Sort-", "Format-", "ConvertTo-"];
/// What could start, name or compute something else.
const ACTIVE: &[char] = &[
    ';', '&', '>', '<', '{', '}', '$', '`', '(', ')', '@', '[', ']', '%', '#', '\n', '\r', '\0',
    '“', '”', '„', '‘', '’', '‚', '‛',
];
/// Cmdlets whose words are paths.
const PATHS: [&str; 3] = ["Get-Content", "Get-ChildItem", "Test-Path"];
/// What waits for a person.
const INTERACTIVE: [&str; 14] = [
    "read-host",
    "enter-pssession",
    "out-gridview",
    "get-credential",
    "notepad",
    "edit",
    "vim",
    "vi",
    "nano",
    "more",
    "pause",
    "diskpart",
    "netsh",
    "nslookup",
];
/// What is refused whoever says yes.
const FORBIDDEN: [&str; 7] = [
    "format-volume",
    "clear-disk",
    "initialize-disk",
    "remove-partition",
    "format",
    "reset-physicaldisk",
    "set-disk",
];
const MAX_LINE: usize = 8000;

/// Judges a line: `None` when it only reads, else why it does not.
///
/// # Errors
/// `INTERACTIVE_REFUSED`, `POLICY_VIOLATION`, `INVALID_INPUT`: it may not be run at all.
pub(crate) fn judge(
    line: &str,
    allowed: &[String],
    read: &Places,
) -> Result<Option<String>, ToolError> {
    if line.trim().is_empty() || line.len() > MAX_LINE || line.contains('\0') {
        let rule = "expected 1 to 8000 bytes without NUL";
        return Err(ToolError::invalid("command", rule));
    }
    refuse(line)?;
    if let Some(active) = line.chars().find(|c| ACTIVE.contains(c)) {
        return Ok(Some(format!("{active:?} may do more than read")));
    }
    for stage in line.split('|') {
        let words = match words(stage) {
            Some(words) => words,
            None => return Ok(Some("its quotes do not match".into())),
        };
        if let Some(why) = stage_changes(&words, allowed, read) {
            return Ok(Some(why));
        }
    }
    Ok(None)
}

/// Names of programs anywhere in the line, where one could begin.
fn refuse(line: &str) -> Result<(), ToolError> {
    let begins = line.split([';', '|', '&', '{', '(', '\n', '\r', '=']);
    for part in begins {
        let name = part.split_whitespace().next().unwrap_or_default();
        let name = name.trim_matches(['"', '\'']).to_ascii_lowercase();
        let name = name.rsplit(['\\', '/']).next().unwrap_or_default();
        let name = name.trim_end_matches(".exe").trim_end_matches(".com");
        if INTERACTIVE.contains(&name) {
            let message = format!(
                "command: {} would wait for a person; give everything it needs as parameters, or read \
                 with os.windows.fs.readFile",
                legible(name)
            );
            return Err(ToolError::refused(Code::InteractiveRefused, message));
        }
        if FORBIDDEN.contains(&name) {
            let message = format!("command: forbidden: {} empties disks", legible(name));
            return Err(ToolError::refused(Code::PolicyViolation, message));
        }
    }
    let lower = line.to_ascii_lowercase();
    let mut words = lower
        .split_whitespace()
        .map(|word| word.trim_matches(['"', '\'']));
    let root = |word: &str| {
        let word = word.trim_end_matches(['*', '\\', '/']);
        matches!(
            word,
            "c:" | "c:\\windows" | "c:\\users" | "c:\\program files"
        )
    };
    let removes = ["remove-item", "rmdir", "rd ", "del ", "rm "];
    if removes.iter().any(|it| lower.contains(it)) && lower.contains("-r") && words.any(root) {
        let message =
            "command: forbidden: it would remove a top-level folder with everything in it";
        return Err(ToolError::refused(Code::PolicyViolation, message));
    }
    Ok(())
}

/// Why a stage may change something.
fn stage_changes(words: &[String], allowed: &[String], read: &Places) -> Option<String> {
    let Some((name, words)) = words.split_first() else {
        return Some("a stage is empty".into());
    };
    let same = |other: &&str| other.eq_ignore_ascii_case(name);
    let known = allowed.iter().any(|it| same(&it.as_str()));
    let verb = |verb: &&str| {
        let start = name.get(..verb.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(verb))
    };
    if !known || !VERBS.iter().any(verb) {
        return Some(format!("{} is not known to only read", legible(name)));
    }
    if !PATHS.iter().any(same) {
        // A path elsewhere could be a share of somebody who wants our credentials.
        let shares = words
            .iter()
            .any(|word| word.contains("\\\\") || word.contains("//"));
        return shares.then(|| "it names a share".into());
    }
    let mut paths = 0_usize;
    for word in words {
        let flag = word.starts_with('-') && !word.contains([':', '\\', '/']);
        let number = word.bytes().all(|byte| byte.is_ascii_digit());
        if flag || number {
            continue;
        }
        if read.check(word).is_err() {
            return Some(format!(
                "{:?} is not under ALLOWED_READ_PATHS",
                legible(word)
            ));
        }
        paths += 1;
    }
    (paths == 0).then(|| "it names no path".into())
}

/// Words of a stage, quotes taken off; `None` when a quote does not end.
fn words(stage: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in stage.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() || c == ',' => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(line: &str) -> Result<bool, Code> {
        let config = [
            "Get-Process",
            "Get-Content",
            "Sort-Object",
            "Test-Path",
            "Remove-Item",
        ];
        let allowed = config.map(str::to_owned);
        let read = Places::parse(r"C:\Logs", "ALLOWED_READ_PATHS");
        let judged = judge(line, &allowed, &read);
        judged.map(|why| why.is_none()).map_err(|error| error.code)
    }

    #[test]
    fn a_pipeline_of_named_cmdlets_with_plain_words_reads() {
        for line in [
            "Get-Process",
            "get-process -Name svchost | sort-object Id -Descending",
            r"Get-Content C:\Logs\a.txt -TotalCount 5",
            r"Get-Content -Path 'C:\Logs\a b.txt'",
            r"Test-Path C:\Logs",
        ] {
            assert_eq!(judged(line), Ok(true), "{line}");
        }
    }

    #[test]
    fn everything_else_asks() {
        for line in [
            "Get-Service",
            "Remove-Item C:\\Logs\\a.txt",
            "Get-Process; Get-Process",
            "Get-Process & calc",
            "Get-Process > C:\\x",
            "Get-Process | Sort-Object { Remove-Item x }",
            "Get-Process -Name (Remove-Item x)",
            "Get-Process -Name $(Remove-Item x)",
            "Get-Process -Name \"$env:X\"",
            "Get-Process `\nRemove-Item x",
            "Get-Process -ComputerName \\\\evil\\x",
            "Get-Content C:\\Windows\\win.ini",
            "Get-Content \\\\evil\\share\\x",
            "Get-Content a.txt",
            "Get-Content",
            "Get-Content -Path:C:\\Windows\\win.ini",
            "Get-Content C:\\Logs\\a.txt, C:\\b.txt",
            "Get-Process 'x",
            "Get-Process |",
            "[IO.File]::Delete('x')",
        ] {
            assert_eq!(judged(line), Ok(false), "{line}");
        }
    }

    /// Acceptance: 359
    #[test]
    fn what_waits_for_a_person_or_empties_a_disk_is_refused() {
        for (line, code) in [
            ("notepad C:\\x.txt", Code::InteractiveRefused),
            ("Get-Content C:\\x | more.com", Code::InteractiveRefused),
            ("$x = Read-Host", Code::InteractiveRefused),
            ("Format-Volume -DriveLetter D", Code::PolicyViolation),
            (
                "Remove-Item -Recurse -Force C:\\Windows\\",
                Code::PolicyViolation,
            ),
            ("Remove-Item C:\\* -Recurse", Code::PolicyViolation),
            (" ", Code::InvalidInput),
        ] {
            assert_eq!(judged(line), Err(code), "{line}");
        }
    }
}
