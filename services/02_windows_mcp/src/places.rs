//! Paths of Windows, judged by their spelling. That they go through no link is seen on the host.

use shared::files::FilesError;

/// Names of devices, whatever they end in.
const DEVICES: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];
const MAX_PATH: usize = 1024;

/// Folders beneath which something is allowed.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    folders: Vec<Vec<String>>,
    setting: &'static str,
}

impl Places {
    /// Reads a list separated by semicolons; what is no path of a folder is left out.
    pub(crate) fn parse(list: &str, setting: &'static str) -> Self {
        let parts = list.split(';').map(str::trim);
        let folders = parts.filter_map(|part| split(part).ok());
        Self {
            folders: folders.collect(),
            setting,
        }
    }

    /// The path in its plain form, when it lies beneath one of the folders.
    pub(crate) fn check(&self, path: &str) -> Result<String, FilesError> {
        let parts = split(path)?;
        let same = |(is, root): (&String, &String)| is.eq_ignore_ascii_case(root);
        let beneath =
            |root: &Vec<String>| parts.len() >= root.len() && parts.iter().zip(root).all(same);
        match self.folders.iter().any(beneath) {
            true if parts.len() == 1 => Ok(format!("{}\\", parts.concat())),
            true => Ok(parts.join("\\")),
            false => Err(FilesError::Outside {
                allowed: self.setting,
            }),
        }
    }
}

/// Drive and names of an absolute path.
fn split(path: &str) -> Result<Vec<String>, FilesError> {
    if path.len() > MAX_PATH {
        return Err(FilesError::Path("longer than 1024 bytes"));
    }
    let mut parts = path.split(['\\', '/']);
    let drive = parts.next().unwrap_or_default();
    let mut characters = drive.chars();
    let letter = characters.next().is_some_and(|it| it.is_ascii_alphabetic());
    if !letter || characters.as_str() != ":" || path.len() < 3 {
        return Err(FilesError::Path("not absolute, such as C:\\folder\\file"));
    }
    let mut names = vec![drive.to_ascii_uppercase()];
    for name in parts.filter(|name| !name.is_empty()) {
        check_name(name)?;
        names.push(name.to_owned());
    }
    Ok(names)
}

fn check_name(name: &str) -> Result<(), FilesError> {
    let odd = |c: char| c.is_control() || "<>:\"|?*".contains(c);
    let base = name.split('.').next().unwrap_or_default().trim_end();
    let numbered = |base: &str| {
        let port = base.get(..3).map(str::to_ascii_uppercase);
        base.chars().count() == 4 && matches!(port.as_deref(), Some("COM" | "LPT"))
    };
    let device = DEVICES
        .iter()
        .any(|device| base.eq_ignore_ascii_case(device));
    if device || numbered(base) {
        return Err(FilesError::Path("the name of a device"));
    }
    if name.ends_with([' ', '.']) || name.chars().any(odd) {
        return Err(FilesError::Path(
            "`.`, `..`, or a character that names something else",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_inside_by_its_names_only() {
        let places = Places::parse(r"C:\Logs; d:/data ;x;", "ALLOWED_READ_PATHS");
        for (path, wanted) in [
            (r"C:\Logs\a.txt", Some(r"C:\Logs\a.txt")),
            (r"c:/LOGS//a.txt", Some(r"C:\LOGS\a.txt")),
            (r"D:\data", Some(r"D:\data")),
            (r"C:\Logs2\a.txt", None),
            (r"C:\Logs\..\a.txt", None),
            (r"C:\Logs\.\a.txt", None),
            (r"C:\Logs\a.txt:stream", None),
            (r"C:\Logs\a.txt.", None),
            (r"C:\Logs\a.txt ", None),
            (r"C:\Logs\NUL.txt", None),
            (r"C:\Logs\com1", None),
            (r"C:\Logs\*.txt", None),
            (r"C:Logs\a.txt", None),
            (r"\\host\share\a", None),
            (r"\\?\C:\Logs\a", None),
            (r"Logs\a", None),
            ("C:", None),
            ("", None),
        ] {
            assert_eq!(places.check(path).ok().as_deref(), wanted, "{path}");
        }
        let all = Places::parse(r"C:\", "X");
        assert_eq!(all.check(r"C:\").unwrap(), r"C:\");
    }
}
