//! The built-in image: the host's own `/usr`, read-only, under an `/etc` made for containers.
//!
//! The base layer is built from an allow-list of the host's `/etc`. It never holds what an ordinary user of the host
//! could not read, no private key, no password hash and no account of a person: only files that programs need to find
//! their libraries, names, time zones and certificates.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use super::blobs::{sync_dir, unique_name};
use super::digest::Hasher;
use super::layer::read_all;
use super::store::{Inner, StoreError};
use super::{Digest, Image, ImageConfig, ImageReference, RootBind, RootFs};

/// Directories of the root that are part of `/usr` on today's distributions, and directories of their own on others.
const PROGRAM_DIRS: [&str; 6] = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"];

/// Empty directories, with modes.
const EMPTY_DIRS: [(&str, u32); 14] = [
    ("dev", 0o755),
    ("etc", 0o755),
    ("home", 0o755),
    ("proc", 0o555),
    ("root", 0o700),
    ("run", 0o755),
    ("run/lock", 0o1777),
    ("sys", 0o555),
    ("tmp", 0o1777),
    ("usr", 0o755),
    ("var", 0o755),
    ("var/cache", 0o755),
    ("var/lib", 0o755),
    ("var/log", 0o755),
];

/// More of `/var`: its last part is a link on most distributions.
const VAR_TMP: (&str, u32) = ("var/tmp", 0o1777);

/// Single files of `/etc` that are copied where the host has them. `resolv.conf` is often a link: its content counts.
const FILES: [&str; 17] = [
    "debian_version",
    "gai.conf",
    "host.conf",
    "ld.so.cache",
    "ld.so.conf",
    "localtime",
    "lsb-release",
    "machine-info",
    "mime.types",
    "nsswitch.conf",
    "os-release",
    "protocols",
    "resolv.conf",
    "rpc",
    "services",
    "shells",
    "timezone",
];

/// Directories of `/etc` that are copied where the host has them.
const TREES: [&str; 8] = [
    "alternatives",
    "ca-certificates/extracted",
    "ld.so.conf.d",
    "pki/ca-trust/extracted",
    "pki/tls/certs",
    "ssl/certs",
    "terminfo",
    "xdg/mime",
];

const FILE_BYTES_MAX: u64 = 4 << 20;
const DEPTH_MAX: usize = 6;

/// The image made last, and what the host's files looked like then.
pub(super) struct HostRootfs {
    fingerprint: Vec<(u64, u64, i64, i64)>,
    digest: Digest,
    rootfs: RootFs,
}

impl Inner {
    /// Returns the built-in image as of now. Cheap while the host's files stay as they are.
    pub(super) fn host_image(&self, reference: &ImageReference) -> Result<Image, StoreError> {
        let fingerprint = fingerprint();
        let mut cached = self.host_rootfs.lock().unwrap_or_else(PoisonError::into_inner);
        let made = match cached.take() {
            Some(made) if made.fingerprint == fingerprint && made.rootfs.lowers[0].is_dir() => made,
            _ => self.make_host_rootfs(fingerprint)?,
        };
        let made = cached.insert(made);
        Ok(Image {
            reference: reference.to_string(),
            digest: made.digest.clone(),
            image_id: made.digest.to_string(),
            config: ImageConfig {
                env: vec!["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into()],
                ..ImageConfig::default()
            },
            rootfs: made.rootfs.clone(),
        })
    }

    /// Returns those of `in_use` that are versions of the built-in image, and the current one.
    pub(super) fn host_in_use(&self, in_use: &BTreeSet<Digest>) -> BTreeSet<Digest> {
        let is_host = |digest: &&Digest| self.dir.join("host").join(digest.hex()).is_dir();
        let mut keep: BTreeSet<Digest> = in_use.iter().filter(is_host).cloned().collect();
        let cached = self.host_rootfs.lock().unwrap_or_else(PoisonError::into_inner);
        keep.extend(cached.as_ref().map(|made| made.digest.clone()));
        keep
    }

    fn make_host_rootfs(&self, fingerprint: Vec<(u64, u64, i64, i64)>) -> Result<HostRootfs, StoreError> {
        let name = unique_name("host");
        let staged = self.scratch().join(&name);
        let mut base = Base { root: staged.join("fs"), hasher: Hasher::default() };
        let failed = |source| StoreError::io("make the host image", &staged)(source);
        let binds = base.build().map_err(failed)?;
        let digest = base.hasher.clone().finish();
        let place = self.dir.join("host").join(digest.hex());
        let put = || {
            if place.join("fs").is_dir() {
                self.discard(&name);
                return Ok(());
            }
            rustix::fs::syncfs(File::open(&staged)?)?;
            fs::rename(&staged, &place)?;
            place.parent().map_or(Ok(()), sync_dir)
        };
        put().map_err(StoreError::io("put the host image in place", &place))?;
        let rootfs = RootFs { lowers: vec![place.join("fs")], binds };
        Ok(HostRootfs { fingerprint, digest, rootfs })
    }
}

/// Identity and times of everything that the base layer is copied from, directories as a whole.
fn fingerprint() -> Vec<(u64, u64, i64, i64)> {
    let etc = Path::new("/etc");
    let roots = PROGRAM_DIRS.iter().map(|dir| Path::new("/").join(dir));
    let tables = ["passwd", "group"].map(|file| etc.join(file));
    let files = FILES.iter().chain(&TREES).map(|file| etc.join(file));
    roots
        .chain(tables)
        .chain(files)
        .map(|path| fs::metadata(path).map_or((0, 0, 0, 0), |m| (m.dev(), m.ino(), m.ctime(), m.ctime_nsec())))
        .collect()
}

/// A base layer that is being made; everything made goes into its digest.
struct Base {
    root: PathBuf,
    hasher: Hasher,
}

impl Base {
    fn build(&mut self) -> io::Result<Vec<RootBind>> {
        fs::create_dir_all(&self.root)?;
        fs::set_permissions(&self.root, fs::Permissions::from_mode(0o755))?;
        for (dir, mode) in EMPTY_DIRS.into_iter().chain([VAR_TMP]) {
            self.directory(dir, mode)?;
        }
        self.link("var/run", Path::new("/run"))?;
        self.link("var/lock", Path::new("/run/lock"))?;
        let mut binds = vec![bind("usr")];
        for dir in PROGRAM_DIRS {
            let on_host = Path::new("/").join(dir);
            match fs::symlink_metadata(&on_host) {
                Ok(m) if m.is_symlink() => self.link(dir, &fs::read_link(&on_host)?)?,
                Ok(m) if m.is_dir() => {
                    self.directory(dir, 0o755)?;
                    binds.push(bind(dir));
                }
                _ => {}
            }
        }
        self.tables()?;
        for file in FILES {
            self.copy(&Path::new("/etc").join(file), &format!("etc/{file}"), true)?;
        }
        for tree in TREES {
            self.copy_tree(&Path::new("/etc").join(tree), &format!("etc/{tree}"), 0)?;
        }
        self.copy(Path::new("/etc/ssl/openssl.cnf"), "etc/ssl/openssl.cnf", true)?;
        self.copy(Path::new("/etc/pki/tls/cert.pem"), "etc/pki/tls/cert.pem", false)?;
        if !self.root.join("etc/nsswitch.conf").exists() {
            self.file("etc/nsswitch.conf", 0o644, b"passwd: files\ngroup: files\nhosts: files dns\n")?;
        }
        self.file("etc/hosts", 0o644, b"127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n")?;
        // The host's own mounts are not the container's.
        self.link("etc/mtab", Path::new("/proc/mounts"))?;
        Ok(binds)
    }

    /// Writes `passwd` and `group` with the system's accounts: those of people and all hashes stay on the host.
    fn tables(&mut self) -> io::Result<()> {
        let read = |path: &str| {
            let bytes = File::open(path).and_then(|file| read_all(file, FILE_BYTES_MAX))?;
            Ok::<_, io::Error>(String::from_utf8_lossy(&bytes).into_owned())
        };
        let (passwd, group) = system_accounts(&read("/etc/passwd")?, &read("/etc/group")?);
        self.file("etc/passwd", 0o644, passwd.as_bytes())?;
        self.file("etc/group", 0o644, group.as_bytes())
    }

    fn note(&mut self, kind: u8, path: &str, content: &[u8]) {
        self.hasher.update(&[kind]);
        for part in [path.as_bytes(), content] {
            self.hasher.update(&(part.len() as u64).to_le_bytes());
            self.hasher.update(part);
        }
    }

    fn directory(&mut self, path: &str, mode: u32) -> io::Result<()> {
        let target = self.root.join(path);
        fs::create_dir_all(&target)?;
        fs::set_permissions(&target, fs::Permissions::from_mode(mode))?;
        self.note(b'd', path, &mode.to_le_bytes());
        Ok(())
    }

    fn link(&mut self, path: &str, to: &Path) -> io::Result<()> {
        symlink(to, self.root.join(path))?;
        self.note(b'l', path, to.as_os_str().as_bytes());
        Ok(())
    }

    fn file(&mut self, path: &str, mode: u32, bytes: &[u8]) -> io::Result<()> {
        let target = self.root.join(path);
        fs::write(&target, bytes)?;
        fs::set_permissions(&target, fs::Permissions::from_mode(mode))?;
        self.note(b'f', path, bytes);
        Ok(())
    }

    fn parents(&mut self, path: &str) -> io::Result<()> {
        let mut missing = Vec::new();
        let mut at = path;
        while let Some((parent, _)) = at.rsplit_once('/') {
            if self.root.join(parent).is_dir() {
                break;
            }
            missing.push(parent);
            at = parent;
        }
        missing.into_iter().rev().try_for_each(|dir| self.directory(dir, 0o755))
    }

    /// Copies a file or link. What is missing, not for everyone's eyes or too large is left out. A link into `/usr`
    /// stays one; any other is followed if `follow`, because its target is not in the container.
    fn copy(&mut self, from: &Path, path: &str, follow: bool) -> io::Result<()> {
        let Ok(metadata) = fs::symlink_metadata(from) else {
            return Ok(());
        };
        if metadata.is_symlink() {
            let target = fs::read_link(from)?;
            if !follow || target.starts_with("/usr") || target.starts_with("../usr") {
                self.parents(path)?;
                return self.link(path, &target);
            }
        }
        let Ok(target) = fs::metadata(from) else {
            return Ok(());
        };
        if !target.is_file() || target.mode() & 0o004 == 0 || target.len() > FILE_BYTES_MAX {
            return Ok(());
        }
        let bytes = read_all(File::open(from)?, FILE_BYTES_MAX)?;
        if is_private_key(&bytes) {
            return Ok(());
        }
        self.parents(path)?;
        self.file(path, 0o644, &bytes)
    }

    fn copy_tree(&mut self, from: &Path, path: &str, depth: usize) -> io::Result<()> {
        let is_public = |m: fs::Metadata| m.is_dir() && m.mode() & 0o005 == 0o005;
        if depth > DEPTH_MAX || !fs::symlink_metadata(from).is_ok_and(is_public) {
            return Ok(());
        }
        self.parents(path)?;
        self.directory(path, 0o755)?;
        let mut names: Vec<_> = fs::read_dir(from)?.collect::<io::Result<Vec<_>>>()?;
        names.sort_by_key(fs::DirEntry::file_name);
        for item in names {
            let Ok(name) = item.file_name().into_string() else {
                continue;
            };
            let (from, path) = (item.path(), format!("{path}/{name}"));
            if item.file_type()?.is_dir() {
                self.copy_tree(&from, &path, depth + 1)?;
            } else {
                self.copy(&from, &path, false)?;
            }
        }
        Ok(())
    }
}

fn bind(dir: &str) -> RootBind {
    RootBind { source: Path::new("/").join(dir), target: Path::new("/").join(dir) }
}

fn is_private_key(bytes: &[u8]) -> bool {
    bytes.windows(12).any(|window| window == b"PRIVATE KEY-")
}

/// Returns the lines of `passwd` and `group` for ids below 1000 and for `nobody`, without hashes and without the
/// membership of people.
fn system_accounts(passwd: &str, group: &str) -> (String, String) {
    let is_system =
        |id: Option<&&str>| id.and_then(|id| id.parse().ok()).is_some_and(|id: u32| id < 1000 || id == 65534);
    let mut names = BTreeSet::new();
    let mut accounts = String::new();
    for line in passwd.lines() {
        let mut fields: Vec<&str> = line.split(':').collect();
        if fields.len() == 7 && is_system(fields.get(2)) {
            fields[1] = "x";
            names.insert(fields[0]);
            accounts += &(fields.join(":") + "\n");
        }
    }
    let mut groups = String::new();
    for line in group.lines() {
        let mut fields: Vec<&str> = line.split(':').collect();
        if fields.len() == 4 && is_system(fields.get(2)) {
            let members: Vec<&str> = fields[3].split(',').filter(|member| names.contains(member)).collect();
            let members = members.join(",");
            fields[1] = "x";
            fields[3] = &members;
            groups += &(fields.join(":") + "\n");
        }
    }
    (accounts, groups)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_of_people_and_hashes_stay_on_the_host() {
        let (passwd, group) = system_accounts(
            "root:$6$hash:0:0:root:/root:/bin/bash\nana:x:1000:1000:Ana:/home/ana:/bin/zsh\nnobody:x:65534:65534::/:/bin/false\nodd\n",
            "root:x:0:\nadm:*:4:ana,root\nana:x:1000:\n",
        );
        assert_eq!(passwd, "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534::/:/bin/false\n");
        assert_eq!(group, "root:x:0:\nadm:x:4:root\n");
    }

    #[test]
    fn private_keys_are_recognised_by_content() {
        assert!(is_private_key(b"-----BEGIN RSA PRIVATE KEY-----\n"));
        assert!(!is_private_key(b"-----BEGIN CERTIFICATE-----\n"));
    }
}
