//! Skip lists: cases that are left out, with the reason.

use crate::Io;
use crate::input;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};

/// A skip list. Each line names the end of a path, in whole components, and a reason; `#` begins a comment.
pub struct SkipList {
    path: PathBuf,
    entries: Vec<Entry>,
}

struct Entry {
    line: usize,
    suffix: PathBuf,
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
        let entry = self.entries.iter_mut().find(|entry| path.ends_with(&entry.suffix))?;
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
        entries.push(Entry { line: at + 1, suffix: suffix.into(), reason: reason.to_owned(), is_used: false });
    }
    Ok(entries)
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
}
