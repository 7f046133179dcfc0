//! `non-root`, `user`, `env`, `labels`, `ports`: what the config says.

use super::{Contents, Finding, Root, Subject};
use crate::action::Expected;

/// What the config says otherwise.
pub fn check<C: Contents>(expected: &Expected, subject: &Subject<'_, C>) -> Result<Vec<Finding>, C::Error> {
    let run = &subject.config.config;
    let mut found = Vec::new();
    if expected.non_root {
        found.extend(non_root(&run.user, &subject.root)?);
    }
    if let Some(wanted) = expected.user.as_ref().filter(|wanted| **wanted != run.user) {
        found.extend(user(wanted, &run.user, &subject.root)?);
    }
    for (name, wanted) in &expected.env {
        let value = run.env.iter().find_map(|entry| entry.strip_prefix(&**name)?.strip_prefix('='));
        found.extend(differs("env", name, wanted, value));
    }
    for (name, wanted) in &expected.labels {
        found.extend(differs("labels", name, wanted, run.labels.get(name).map(String::as_str)));
    }
    for port in expected.ports.iter().filter(|port| !exposed(port, run.exposed_ports.keys())) {
        let there: Vec<&str> = run.exposed_ports.keys().map(String::as_str).collect();
        let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
        found.push(Finding::new("ports", "", format!("port {port}"), there));
    }
    Ok(found)
}

fn differs(attribute: &'static str, name: &str, wanted: &str, value: Option<&str>) -> Option<Finding> {
    let found = value.map_or("nothing".to_owned(), |value| format!("{value:?}"));
    (value != Some(wanted)).then(|| Finding::new(attribute, name, format!("{wanted:?}"), found))
}

/// A port without a protocol is one of TCP.
fn exposed<'a>(wanted: &str, mut there: impl Iterator<Item = &'a String>) -> bool {
    there.any(|port| port == wanted || format!("{port}/tcp") == wanted)
}

fn non_root<C: Contents>(user: &str, root: &Root<'_, C>) -> Result<Option<Finding>, C::Error> {
    let found = match Ids::of(user, root)? {
        Ids { uid: Some(0), .. } if user.is_empty() => "no user, which is root".to_owned(),
        Ids { uid: Some(0), .. } => format!("`{user}`, which is root"),
        Ids { uid: Some(_), .. } => return Ok(None),
        Ids { uid: None, .. } => format!("`{user}`, whom /etc/passwd does not know"),
    };
    Ok(Some(Finding::new("non-root", "", "a user that is not root", found)))
}

/// Names and numbers of the same account are the same; a group that isn't asked for may be any.
fn user<C: Contents>(wanted: &str, there: &str, root: &Root<'_, C>) -> Result<Option<Finding>, C::Error> {
    let (asked, found) = (Ids::of(wanted, root)?, Ids::of(there, root)?);
    let group = !wanted.contains(':') || asked.gid.is_some() && asked.gid == found.gid;
    if asked.uid.is_some() && asked.uid == found.uid && group {
        return Ok(None);
    }
    let there = if there.is_empty() { "no user, which is root".to_owned() } else { format!("`{there}`") };
    Ok(Some(Finding::new("user", "", format!("`{wanted}`"), there)))
}

/// The numbers of a user and group; `None` where the image does not know the name.
struct Ids {
    uid: Option<u64>,
    gid: Option<u64>,
}

impl Ids {
    /// Of `user[:group]`; empty: root.
    fn of<C: Contents>(text: &str, root: &Root<'_, C>) -> Result<Ids, C::Error> {
        let (user, group) = text.split_once(':').map_or((text, None), |(user, group)| (user, Some(group)));
        let user = if user.is_empty() { "0" } else { user };
        let account = line(user, "/etc/passwd", root)?;
        let uid = user.parse().ok().or_else(|| field(&account, 2));
        let gid = match group {
            None => field(&account, 3),
            Some(group) => match group.parse() {
                Ok(number) => Some(number),
                Err(_) => field(&line(group, "/etc/group", root)?, 2),
            },
        };
        Ok(Ids { uid, gid })
    }
}

/// The line of a name or number in passwd(5) or group(5).
fn line<C: Contents>(name: &str, file: &str, root: &Root<'_, C>) -> Result<Option<String>, C::Error> {
    let text = root.text(file)?.unwrap_or_default();
    let is_it = |line: &&str| line.split(':').next() == Some(name) || line.split(':').nth(2) == Some(name);
    Ok(text.lines().find(is_it).map(str::to_owned))
}

fn field(line: &Option<String>, at: usize) -> Option<u64> {
    line.as_ref()?.split(':').nth(at)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::Image;
    use super::*;

    const PASSWD: &str = "root:x:0:0::/root:/bin/sh\ntoor:x:0:0::/:/bin/sh\napp:x:10001:20::/:/bin/false\n";

    fn image(user: &str) -> Image {
        let image = Image::default().layer("//:a", |layer| {
            layer.text("/etc/passwd", 0o644, PASSWD).text("/etc/group", 0o644, "root:x:0:\nstaff:x:20:\n");
        });
        image.says("User", json!(user))
    }

    #[test]
    fn root_is_found_under_every_name() {
        let non_root = |user: &str| image(user).judged(Expected { non_root: true, ..Expected::default() });
        for user in ["app", "10001", "10001:0", "4711"] {
            assert_eq!(non_root(user), [""; 0], "{user}");
        }
        for user in ["", "0", "root", "toor:app", "0:10001", "nobody-knows"] {
            assert_eq!(non_root(user).len(), 1, "{user}");
        }
    }

    #[test]
    fn a_user_is_the_same_by_name_and_by_number() {
        let asked = |user: &str, wanted: &str| {
            let wanted = Some(wanted.to_owned());
            image(user).judged(Expected { user: wanted, ..Expected::default() })
        };
        for (user, wanted) in [("app", "10001"), ("10001:20", "app"), ("app", "app:staff"), ("", "root"), ("5", "5")] {
            assert_eq!(asked(user, wanted), [""; 0], "{user} {wanted}");
        }
        assert_eq!(asked("app:root", "app:staff"), ["user: expected `app:staff`, found `app:root`"]);
        assert_eq!(asked("", "app"), ["user: expected `app`, found no user, which is root"]);
    }

    #[test]
    fn variables_labels_and_ports_are_those_of_the_config() {
        let image = Image::default()
            .says("Env", json!(["PATH=/bin", "A=1"]))
            .says("Labels", json!({ "team": "data" }))
            .says("ExposedPorts", json!({ "80": {}, "53/udp": {} }));
        let map = |pairs: &[(&str, &str)]| pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        let expected = |env, labels, ports: &[&str]| Expected {
            env: map(env),
            labels: map(labels),
            ports: ports.iter().map(|port| (*port).to_owned()).collect(),
            ..Expected::default()
        };
        assert_eq!(image.judged(expected(&[("A", "1")], &[("team", "data")], &["80/tcp", "53/udp"])), [""; 0]);
        assert_eq!(
            image.judged(expected(&[("A", "2"), ("B", "")], &[("team", "web")], &["53/tcp"])),
            [
                "env: A: expected \"2\", found \"1\"",
                "env: B: expected \"\", found nothing",
                "labels: team: expected \"web\", found \"data\"",
                "ports: expected port 53/tcp, found 53/udp, 80",
            ]
        );
    }
}
