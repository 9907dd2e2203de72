//! Folders of the host that a guest may use, and how its paths lead there.
//!
//! A path is made absolute and simplified as text first; the folder with the longest name that begins it is where the rest
//! of it is looked up. That is done by `cap-std`, which never leaves the folder, whatever links there lead out of it.

use super::Errno;
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use std::io;
use std::path::Path;

/// Folders that have been opened for a guest.
#[derive(Debug, Default)]
pub struct Folders {
    folders: Vec<Folder>,
}

#[derive(Debug)]
struct Folder {
    /// What the guest calls it.
    name: String,
    dir: Dir,
}

impl Folders {
    /// Opens the folder `host` for guests, which see it as `guest`. Names that do not begin with `/` are taken to be in the
    /// guest's root, which is where it starts, too; so `.` is all that the guest sees by relative paths.
    ///
    /// # Errors
    ///
    /// If it is no folder that can be opened.
    pub fn open(&mut self, host: &Path, guest: &str) -> io::Result<()> {
        let dir = Dir::open_ambient_dir(host, ambient_authority())?;
        self.folders.push(Folder { name: join("/", guest), dir });
        self.folders.sort_by_key(|folder| std::cmp::Reverse(folder.name.len()));
        Ok(())
    }

    /// The folder that an absolute path leads into, and the rest of the path.
    pub(super) fn find<'p>(&self, path: &'p str) -> Result<(&Dir, &'p str), Errno> {
        let found = self.folders.iter().find_map(|folder| {
            let rest = path.strip_prefix(folder.name.trim_end_matches('/'))?;
            (rest.is_empty() || rest.starts_with('/')).then_some((&folder.dir, rest.trim_start_matches('/')))
        });
        match found {
            Some((dir, "")) => Ok((dir, ".")),
            Some(found) => Ok(found),
            None => {
                tracing::debug!(path, "not below any folder that was opened for the guest");
                Err(Errno::EACCES)
            }
        }
    }
}

/// The absolute path that `path` means in the folder `base`, without `.`, `..` and empty components.
pub(super) fn join(base: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let base = if path.starts_with('/') { "" } else { base };
    for part in base.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_simplified() {
        for (base, path, whole) in [
            ("/", "a", "/a"),
            ("/x/y", "../a/./b//c/", "/x/a/b/c"),
            ("/x", "/a", "/a"),
            ("/x", "../../../etc", "/etc"),
            ("/x", ".", "/x"),
            ("/", "", "/"),
        ] {
            assert_eq!(join(base, path), whole);
        }
    }

    #[test]
    fn the_longest_name_wins_and_names_are_whole() {
        let mut folders = Folders::default();
        for name in ["data", "/data/deep"] {
            folders.open(Path::new("."), name).unwrap();
        }
        assert_eq!(folders.find("/data/deep/x").unwrap().1, "x");
        assert_eq!(folders.find("/data/deeper/x").unwrap().1, "deeper/x");
        assert_eq!(folders.find("/data").unwrap().1, ".");
        assert_eq!(folders.find("/database").unwrap_err(), Errno::EACCES);
        folders.open(Path::new("."), ".").unwrap();
        assert_eq!(folders.find("/database").unwrap().1, "database");
        assert!(folders.open(Path::new("Cargo.toml"), "x").is_err());
    }
}
