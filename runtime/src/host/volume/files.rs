//! The files of configMap and secret volumes, laid out as the kubelet does so that a later change is one rename.
//!
//! `<volume>/..data` is a link to a directory `..<hash>` that holds the files; each top-level name is a link through
//! `..data` (`pkg/volume/util/atomic_writer.go`).

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Component, Path};

use sha2::{Digest as _, Sha256};

use crate::api::kinds::KeyToPath;

/// The mode of files if a volume does not say: `defaultMode` 0644.
const MODE: i32 = 0o644;

/// One file of a volume.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct File<'a> {
    path: String,
    bytes: &'a [u8],
    mode: u32,
}

/// Chooses and names the files: all keys under their own names, or the listed ones under theirs.
pub(super) fn select<'a>(
    data: &[(&'a str, &'a [u8])],
    items: &[KeyToPath],
    default_mode: Option<i32>,
    optional: bool,
) -> Result<Vec<File<'a>>, String> {
    let mode = |own: Option<i32>| u32::try_from(own.or(default_mode).unwrap_or(MODE)).unwrap_or(0o644) & 0o777;
    if items.is_empty() {
        return data.iter().map(|(key, bytes)| Ok(File { path: checked(key)?, bytes, mode: mode(None) })).collect();
    }
    let mut files = Vec::new();
    for item in items {
        match data.iter().find(|(key, _)| *key == item.key) {
            Some((_, bytes)) => files.push(File { path: checked(&item.path)?, bytes, mode: mode(item.mode) }),
            None if optional => {}
            None => return Err(format!("references non-existent config key: {}", item.key)),
        }
    }
    Ok(files)
}

/// Refuses a path that would leave the volume or shadow its bookkeeping.
fn checked(path: &str) -> Result<String, String> {
    let plain = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    if path.is_empty() || !plain || path.starts_with("..") {
        return Err(format!("the path `{path}` must be relative, without `..`"));
    }
    Ok(path.to_owned())
}

/// Writes the files and turns `..data` to them in one step. Does nothing if it points to the same content.
pub(super) fn write_files(volume: &Path, files: &[File<'_>]) -> io::Result<()> {
    let name = format!("..{}", digest(files));
    let data = volume.join(&name);
    let link = volume.join("..data");
    if fs::read_link(&link).is_ok_and(|target| target == Path::new(&name)) {
        return Ok(());
    }
    let _absent = fs::remove_dir_all(&data);
    fs::create_dir(&data)?;
    fs::set_permissions(&data, fs::Permissions::from_mode(0o755))?;
    for file in files {
        let path = data.join(&file.path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&path, file.bytes)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(file.mode))?;
    }
    let fresh = volume.join("..data_tmp");
    let _absent = fs::remove_file(&fresh);
    symlink(&name, &fresh)?;
    let old = fs::read_link(&link).ok();
    fs::rename(&fresh, &link)?;
    name_files(volume, files)?;
    match old {
        Some(old) => fs::remove_dir_all(volume.join(old)),
        None => Ok(()),
    }
}

/// Makes a link for each top-level name and removes those of names that are gone.
fn name_files(volume: &Path, files: &[File<'_>]) -> io::Result<()> {
    let tops: std::collections::BTreeSet<&str> = files.iter().filter_map(|file| file.path.split('/').next()).collect();
    for top in &tops {
        let link = volume.join(top);
        if fs::symlink_metadata(&link).is_err() {
            symlink(Path::new("..data").join(top), &link)?;
        }
    }
    for entry in fs::read_dir(volume)? {
        let name = entry?.file_name();
        let text = name.to_string_lossy();
        if !text.starts_with("..") && !tops.contains(&*text) {
            fs::remove_file(volume.join(&name))?;
        }
    }
    Ok(())
}

fn digest(files: &[File<'_>]) -> String {
    let mut hash = Sha256::new();
    for file in files {
        hash.update((file.path.len() as u64).to_le_bytes());
        hash.update(&file.path);
        hash.update(file.mode.to_le_bytes());
        hash.update((file.bytes.len() as u64).to_le_bytes());
        hash.update(file.bytes);
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_replaced_as_a_whole_and_names_that_went_are_gone() {
        let dir = tempfile::tempdir().expect("a directory");
        let read = |name: &str| fs::read_to_string(dir.path().join(name)).ok();
        let one = [("a", &b"1"[..]), ("b", b"2")];
        write_files(dir.path(), &select(&one, &[], None, false).expect("plain names")).expect("writes");
        assert_eq!((read("a"), read("b")), (Some("1".into()), Some("2".into())));
        write_files(dir.path(), &select(&[("a", &b"3"[..])], &[], None, false).expect("a name")).expect("writes");
        assert_eq!((read("a"), read("b")), (Some("3".into()), None));
        let hidden = fs::read_dir(dir.path()).expect("lists").count();
        assert_eq!(hidden, 3, "`a`, `..data` and one directory of data");
    }

    #[test]
    fn a_path_cannot_leave_the_volume() {
        for path in ["../x", "/x", "a/../x", "..data", ""] {
            let item = KeyToPath { key: "k".into(), path: path.into(), ..KeyToPath::default() };
            assert!(select(&[("k", b"v")], &[item], None, false).is_err(), "{path}");
        }
    }
}
