//! Checks of hostPath volumes (`pkg/volume/hostpath/host_path.go`).

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::PathBuf;

use crate::api::kinds::HostPathVolumeSource;

/// Returns the path if it is of the declared type, made where the type says so.
pub(super) fn check(source: &HostPathVolumeSource) -> Result<PathBuf, String> {
    let path = PathBuf::from(&source.path);
    let wanted = source.type_.as_deref().unwrap_or_default();
    let found = fs::metadata(&path).ok();
    let refused = |what: &str| Err(format!("hostPath type check failed: {} is not {what}", source.path));
    let make = |result: std::io::Result<()>| match result {
        Ok(()) => Ok(path.clone()),
        Err(error) => Err(format!("cannot make hostPath {}: {error}", source.path)),
    };
    match (wanted, found) {
        ("", Some(_)) => Ok(path),
        ("", None) => {
            Err(format!("hostPath {} does not exist on this host; `type: DirectoryOrCreate` makes it", source.path))
        }
        ("DirectoryOrCreate", None) => {
            make(fs::create_dir_all(&path).and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(0o755))))
        }
        ("FileOrCreate", None) => make(fs::OpenOptions::new().create(true).append(true).open(&path).map(drop)),
        ("Directory" | "DirectoryOrCreate", Some(found)) if found.is_dir() => Ok(path),
        ("File" | "FileOrCreate", Some(found)) if found.is_file() => Ok(path),
        ("Socket", Some(found)) if found.file_type().is_socket() => Ok(path),
        ("CharDevice", Some(found)) if found.file_type().is_char_device() => Ok(path),
        ("BlockDevice", Some(found)) if found.file_type().is_block_device() => Ok(path),
        ("Directory" | "DirectoryOrCreate", _) => refused("a directory"),
        ("File" | "FileOrCreate", _) => refused("a file"),
        ("Socket", _) => refused("a socket"),
        ("CharDevice", _) => refused("a character device"),
        ("BlockDevice", _) => refused("a block device"),
        (other, _) => Err(format!("hostPath type `{other}` is unknown")),
    }
}
