//! Skip lists: cases that are left out, with the reason.

use crate::Io;
use crate::input;
use anyhow::{Context, Result, bail};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

/// A skip list. Each line names the end of a path, in whole components, and a reason; `#` begins a comment. An assertion of a
/// script has the path of the script, with `:LINE` behind it; a list may say `:FIRST-LAST`.
pub struct SkipList {
    path: PathBuf,
    entries: Vec<Entry>,
}

struct Entry {
    line: usize,
    suffix: PathBuf,
    /// The lines that are meant, if it is about assertions of a script.
    lines: Option<RangeInclusive<usize>>,
    reason: String,
    is_used: bool,
}

impl SkipList {
    /// Reads a list.
    pub fn read(path: &Path, io: &mut Io<'_>) -> Result<SkipList> {
        let name = || format!("--skip-list: {}", path.display());
        let text = String::from_utf8(input::read(path, io).context("--skip-list")?).with_context(name)?;
        let entries = parse(&text).with_context(name)?;
        Ok(SkipList { path: path.to_owned(), entries })
    }

    /// The reason to leave a case out, if there is one.
    pub fn reason(&mut self, path: &Path) -> Option<String> {
        let text = path.to_string_lossy();
        let (file, line) = match text.rsplit_once(':') {
            Some((file, line)) => (Path::new(file), line.parse::<usize>().ok()),
            None => (path, None),
        };
        let entry = self.entries.iter_mut().find(|entry| match (&entry.lines, line) {
            (Some(lines), Some(line)) => lines.contains(&line) && file.ends_with(&entry.suffix),
            (None, _) => path.ends_with(&entry.suffix),
            (Some(_), None) => false,
        })?;
        entry.is_used = true;
        Some(entry.reason.clone())
    }

    /// Every entry must have been of use: one that is not hides a mistake, or a case that is gone.
    pub fn check(&self) -> Result<()> {
        match self.entries.iter().find(|entry| !entry.is_used) {
            Some(Entry { line, suffix, .. }) => bail!(
                "--skip-list: {}: line {line}: `{}` matches no case; take the line out",
                self.path.display(),
                suffix.display()
            ),
            None => Ok(()),
        }
    }
}

fn parse(text: &str) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (suffix, reason) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let reason = reason.trim();
        if reason.is_empty() {
            bail!("line {}: `{suffix}` has no reason; write it behind the path", at + 1);
        }
        let (suffix, lines) = split_lines(suffix);
        entries.push(Entry { line: at + 1, suffix: suffix.into(), lines, reason: reason.to_owned(), is_used: false });
    }
    Ok(entries)
}

/// A path and the lines behind it.
fn split_lines(suffix: &str) -> (&str, Option<RangeInclusive<usize>>) {
    let range = suffix.rsplit_once(':').and_then(|(path, lines)| {
        let (first, last) = lines.split_once('-').unwrap_or((lines, lines));
        Some((path, first.parse().ok()?..=last.parse().ok()?))
    });
    range.map_or((suffix, None), |(path, lines)| (path, Some(lines)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_match_whole_components_at_the_end() {
        let entries = parse("# why\n\na/b.json  too slow # really\n").unwrap();
        let mut list = SkipList { path: "list".into(), entries };
        assert!(list.check().unwrap_err().to_string().contains("line 3"));
        assert_eq!(list.reason(Path::new("x/ba/b.json")), None);
        assert_eq!(list.reason(Path::new("x/a/b.json")).as_deref(), Some("too slow # really"));
        assert!(list.check().is_ok());
        assert!(parse("a.json").is_err());
    }

    #[test]
    fn entries_name_lines_of_scripts() {
        let mut list = SkipList { path: "list".into(), entries: parse("a.wast:3-5 why\nb.wast:7 so").unwrap() };
        assert_eq!(list.reason(Path::new("x/a.wast:2")), None);
        assert_eq!(list.reason(Path::new("x/a.wast:4")).as_deref(), Some("why"));
        assert_eq!(list.reason(Path::new("b.wast:7")).as_deref(), Some("so"));
        assert_eq!(list.reason(Path::new("a.wast")), None);
    }
}
