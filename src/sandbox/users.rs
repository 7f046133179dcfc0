//! Who runs a command: a user of the image by name or number. Takes texts of `/etc/passwd` and `/etc/group`.

/// A user as the system takes him.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct User {
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// His home directory; `/` where nobody says.
    pub(super) home: String,
}

/// Finds `user`, `uid`, `user:group` or `uid:gid`; empty: root. An error as a phrase.
pub(super) fn find(text: &str, passwd: &str, group: &str) -> Result<User, String> {
    let (name, of_group) = text.split_once(':').map_or((text, None), |(name, group)| (name, Some(group)));
    let name = if name.is_empty() { "0" } else { name };
    let line = passwd
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields.len() >= 6 && (fields[0] == name || name.parse::<u32>().is_ok() && fields[2] == name));
    let number = |text: &str| text.parse::<u32>().ok();
    let uid = number(name).or_else(|| number(line.as_ref()?[2]));
    let uid = uid.ok_or_else(|| format!("/etc/passwd of the base has no user `{name}`"))?;
    let gid = match of_group {
        Some(wanted) => group_id(wanted, group)?,
        None => line.as_ref().and_then(|fields| number(fields[3])).unwrap_or(0),
    };
    let home = line.map_or("/", |fields| fields[5]);
    Ok(User { uid, gid, home: if home.is_empty() { "/".to_owned() } else { home.to_owned() } })
}

fn group_id(wanted: &str, group: &str) -> Result<u32, String> {
    let line = group.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let found = line.into_iter().find(|fields| fields.len() >= 3 && fields[0] == wanted);
    let id = wanted.parse().ok().or_else(|| found?[2].parse().ok());
    id.ok_or_else(|| format!("/etc/group of the base has no group `{wanted}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nann:x:1000:100:Ann:/home/ann:/bin/sh\n";

    fn user(uid: u32, gid: u32, home: &str) -> Result<User, String> {
        Ok(User { uid, gid, home: home.into() })
    }

    #[test]
    fn names_and_numbers_find_user_group_and_home() {
        let of = |text| find(text, PASSWD, "staff:x:50:\n");
        assert_eq!(of(""), user(0, 0, "/root"));
        assert_eq!(of("ann"), user(1000, 100, "/home/ann"));
        assert_eq!(of("1000"), user(1000, 100, "/home/ann"));
        assert_eq!(of("ann:staff"), user(1000, 50, "/home/ann"));
        assert_eq!(of("7:8"), user(7, 8, "/"));
        assert!(of("bob").unwrap_err().contains("no user `bob`"));
        assert!(of("ann:wheel").unwrap_err().contains("no group `wheel`"));
    }
}
