//! Who a program runs as, looked up in the container's own files, and which rights it keeps.

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt as _;

use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};

use super::{Step, StepError};
use crate::host::engine::spec::{Capabilities, User};
use crate::host::sys::process;

/// How much of the container's account files is read: they are the image's, which may be hostile.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// A user as the kernel knows it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Account {
    pub uid: u32,
    pub gid: u32,
    pub groups: Vec<u32>,
    pub home: String,
}

/// Looks up a user in `/etc/passwd` and `/etc/group` of the container, which is `/` by now.
pub(super) fn resolve(user: &User) -> Result<Account, StepError> {
    let read = |path: &str| {
        let mut text = Vec::new();
        // Opening a named pipe would otherwise wait for a writer that never comes.
        if let Ok(file) = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)
            && file.metadata().is_ok_and(|found| found.is_file())
        {
            let _ = file.take(FILE_BYTES_MAX).read_to_end(&mut text);
        }
        String::from_utf8_lossy(&text).into_owned()
    };
    lookup(user, &read("/etc/passwd"), &read("/etc/group")).map_err(StepError)
}

/// One line of `/etc/passwd` or `/etc/group`, split at its colons.
fn entries(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines().map(|line| line.split(':').collect())
}

fn number(fields: &[&str], index: usize) -> Option<u32> {
    fields.get(index)?.parse().ok()
}

fn lookup(user: &User, passwd: &str, group: &str) -> Result<Account, String> {
    let (mut uid, mut gid, mut groups) = (user.uid, user.gid, user.groups.clone());
    if let Some(name) = user.name.as_deref().filter(|name| !name.is_empty()) {
        let (user_part, group_part) = name.split_once(':').map_or((name, None), |(u, g)| (u, Some(g)));
        let known = entries(passwd).find(|fields| fields[0] == user_part || fields.get(2) == Some(&user_part));
        uid = match (&known, user_part.parse()) {
            (Some(fields), _) => number(fields, 2).ok_or_else(|| format!("user {user_part}: invalid passwd entry"))?,
            (None, Ok(uid)) => uid,
            (None, Err(_)) => {
                return Err(format!("unable to find user {user_part}: no matching entries in passwd file"));
            }
        };
        gid = known.as_ref().and_then(|fields| number(fields, 3)).unwrap_or(0);
        if let Some(wanted) = group_part {
            let known = entries(group).find(|fields| fields[0] == wanted).and_then(|fields| number(&fields, 2));
            gid = known
                .or_else(|| wanted.parse().ok())
                .ok_or_else(|| format!("unable to find group {wanted}: no matching entries in group file"))?;
        } else if let Some(fields) = &known {
            let member = |list: &[&str]| list.get(3).is_some_and(|names| names.split(',').any(|n| n == fields[0]));
            groups.extend(entries(group).filter(|list| member(list)).filter_map(|list| number(&list, 2)));
        }
    }
    groups.sort_unstable();
    groups.dedup();
    let home = entries(passwd).find(|fields| number(fields, 2) == Some(uid));
    let home = home.and_then(|fields| fields.get(5).map(|home| (*home).to_owned())).filter(|home| !home.is_empty());
    Ok(Account { uid, gid, groups, home: home.unwrap_or_else(|| "/".to_owned()) })
}

/// Becomes `account` with at most `capabilities`; what the host does not give is left out.
pub(super) fn assume(account: &Account, capabilities: Capabilities) -> Result<(), StepError> {
    for capability in 0..64 {
        if capabilities.0 & (1 << capability) == 0 {
            process::drop_bounding(capability).step(|| format!("cannot drop capability {capability}"))?;
        }
    }
    let groups: Vec<Gid> = account.groups.iter().copied().map(Gid::from_raw).collect();
    setgroups(&groups).step(|| "cannot set the supplementary groups".to_owned())?;
    let (uid, gid) = (Uid::from_raw(account.uid), Gid::from_raw(account.gid));
    setresgid(gid, gid, gid).step(|| format!("cannot become group {gid}"))?;
    setresuid(uid, uid, uid).step(|| format!("cannot become user {uid}"))?;
    // A user other than root has lost all by now, as in every container engine; the bounding set is what remains.
    let mask = if account.uid == 0 { capabilities.0 & process::permitted_capabilities() } else { 0 };
    process::set_capabilities(mask).step(|| "cannot set the capabilities".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nweb:x:33:44:web:/srv:/bin/false\nodd:x:no:no:::\n";
    const GROUP: &str = "root:x:0:\nweb:x:44:\nlog:x:50:web,other\nssl:x:51:web\n";

    #[track_caller]
    fn check(name: &str, expected: Result<(u32, u32, &[u32], &str), &str>) {
        let user = User { name: Some(name.to_owned()), groups: vec![7], ..User::default() };
        let found = lookup(&user, PASSWD, GROUP);
        let expected = expected.map_err(str::to_owned).map(|(uid, gid, groups, home)| Account {
            uid,
            gid,
            groups: groups.to_vec(),
            home: home.to_owned(),
        });
        assert_eq!(found, expected, "{name}");
    }

    #[test]
    fn a_user_is_found_as_the_image_names_it() {
        check("root", Ok((0, 0, &[7], "/root")));
        check("web", Ok((33, 44, &[7, 50, 51], "/srv")));
        check("33", Ok((33, 44, &[7, 50, 51], "/srv")));
        check("web:log", Ok((33, 50, &[7], "/srv")));
        check("1000", Ok((1000, 0, &[7], "/")));
        check("1000:1001", Ok((1000, 1001, &[7], "/")));
        check("nobody", Err("unable to find user nobody: no matching entries in passwd file"));
        check("web:nogroup", Err("unable to find group nogroup: no matching entries in group file"));
        check("odd", Err("user odd: invalid passwd entry"));
    }
}
