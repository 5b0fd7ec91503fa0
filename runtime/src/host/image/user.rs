//! Turns the `user` of an image or container into numbers, by the image's own `/etc/passwd` and `/etc/group`.

use std::path::PathBuf;

use super::layer::read_all;
use super::merged;

/// Most bytes of `/etc/passwd` or `/etc/group` that are read.
const TABLE_BYTES_MAX: u64 = 4 << 20;

/// Largest id that the kernel's users of it agree on (`i32::MAX`, as Kubernetes validates).
const ID_MAX: u32 = i32::MAX as u32;

/// Whom a process runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedUser {
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// Supplementary group ids, ascending, without the primary one.
    pub groups: Vec<u32>,
    /// Home directory, for `HOME`; `/` when the user is not in the image's table.
    pub home: String,
}

/// Why a user cannot be resolved.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// The name is not in the image.
    #[error("unable to find {what} {name}: no matching entries in {table} of the image")]
    Unknown {
        /// `user` or `group`.
        what: &'static str,
        /// The name.
        name: String,
        /// `/etc/passwd` or `/etc/group`.
        table: &'static str,
    },
    /// The number is out of range.
    #[error("{what} id {id} is out of range: ids go from 0 to 2147483647")]
    OutOfRange {
        /// `user` or `group`.
        what: &'static str,
        /// As written.
        id: String,
    },
    /// A table cannot be read.
    #[error("cannot read {table} of the image")]
    Read {
        /// `/etc/passwd` or `/etc/group`.
        table: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// Resolves `spec` (`user`, `uid`, `user:group`, `uid:gid`; empty is root) in the stack `lowers`, top first.
///
/// As runc and containerd do: a name must be in the image, a number need not be; without a group the user's own and
/// supplementary groups apply, with a group only that one.
pub fn resolve_user(lowers: &[PathBuf], spec: &str) -> Result<ResolvedUser, UserError> {
    let read = |table: &'static str| {
        let failed = |source| UserError::Read { table, source };
        let file = merged::open_file(lowers, &table[1..]).map_err(failed)?;
        let bytes = file.map_or(Ok(Vec::new()), |file| read_all(file, TABLE_BYTES_MAX)).map_err(failed)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    resolve(spec, &read("/etc/passwd")?, &read("/etc/group")?)
}

struct Account<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

struct Group<'a> {
    name: &'a str,
    gid: u32,
    members: &'a str,
}

fn accounts(passwd: &str) -> impl Iterator<Item = Account<'_>> {
    passwd.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let (name, _) = (fields.next()?, fields.next()?);
        let (uid, gid) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        let home = fields.nth(1).unwrap_or_default();
        Some(Account { name, uid, gid, home })
    })
}

fn groups(group: &str) -> impl Iterator<Item = Group<'_>> {
    group.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let (name, _) = (fields.next()?, fields.next()?);
        Some(Group { name, gid: fields.next()?.parse().ok()?, members: fields.next().unwrap_or_default() })
    })
}

/// Reads `text` as an id; `None` when it is a name.
fn number(what: &'static str, text: &str) -> Result<Option<u32>, UserError> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(None);
    }
    match text.parse() {
        Ok(id) if id <= ID_MAX => Ok(Some(id)),
        _ => Err(UserError::OutOfRange { what, id: text.chars().take(40).collect() }),
    }
}

fn resolve(spec: &str, passwd: &str, group: &str) -> Result<ResolvedUser, UserError> {
    let (user, wanted_group) = match spec.split_once(':') {
        Some((user, "")) => (user, None),
        Some((user, group)) => (user, Some(group)),
        None => (spec, None),
    };
    let user = if user.is_empty() { "0" } else { user };
    let uid = number("user", user)?;
    let account = accounts(passwd).find(|a| a.name == user || Some(a.uid) == uid);
    let (uid, mut gid, home) = match (&account, uid) {
        (Some(account), _) => (account.uid, account.gid, account.home),
        (None, Some(uid)) => (uid, 0, ""),
        (None, None) => {
            return Err(UserError::Unknown { what: "user", name: user.into(), table: "/etc/passwd" });
        }
    };
    let mut extra = Vec::new();
    if let Some(wanted) = wanted_group {
        let id = number("group", wanted)?;
        gid = match (groups(group).find(|g| g.name == wanted || Some(g.gid) == id), id) {
            (Some(found), _) => found.gid,
            (None, Some(id)) => id,
            (None, None) => {
                return Err(UserError::Unknown { what: "group", name: wanted.into(), table: "/etc/group" });
            }
        };
    } else if let Some(account) = &account {
        let is_member = |g: &Group<'_>| g.members.split(',').any(|member| member == account.name);
        extra = groups(group).filter(is_member).map(|g| g.gid).filter(|id| *id != gid).collect();
        extra.sort_unstable();
        extra.dedup();
    }
    let home = if home.is_empty() { "/".into() } else { home.into() };
    Ok(ResolvedUser { uid, gid, groups: extra, home })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nbroken\nwww:x:33:33::/var/www:/bin/false\n1000:x:7:8::/odd:\n";
    const GROUP: &str = "root:x:0:\nwww:x:33:\nvideo:x:44:www,other\nadm:x:4:www\n";

    #[track_caller]
    fn check(spec: &str, expected: &str) {
        let found = match resolve(spec, PASSWD, GROUP) {
            Ok(u) => format!("{} {} {:?} {}", u.uid, u.gid, u.groups, u.home),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expected, "{spec}");
    }

    #[test]
    fn users_and_groups_resolve_as_in_other_engines() {
        check("", "0 0 [] /root");
        check("root", "0 0 [] /root");
        check("www", "33 33 [4, 44] /var/www");
        check("33", "33 33 [4, 44] /var/www");
        check("www:video", "33 44 [] /var/www");
        check("www:", "33 33 [4, 44] /var/www");
        check(":video", "0 44 [] /root");
        check("33:9", "33 9 [] /var/www");
        check("4711", "4711 0 [] /");
        check("4711:4712", "4711 4712 [] /");
        check("1000", "7 8 [] /odd");
    }

    #[test]
    fn unknown_names_and_numbers_out_of_range_are_errors() {
        check("nobody", "unable to find user nobody: no matching entries in /etc/passwd of the image");
        check("www:nope", "unable to find group nope: no matching entries in /etc/group of the image");
        check("2147483648", "user id 2147483648 is out of range: ids go from 0 to 2147483647");
        check("0:99999999999999", "group id 99999999999999 is out of range: ids go from 0 to 2147483647");
        check("-1", "unable to find user -1: no matching entries in /etc/passwd of the image");
    }
}
