//! Alternatives (update-alternatives(1)): what `--install` in maintainer scripts would have registered.
//!
//! The scripts are read as text, never run: a call counts where all its words are plain. The highest priority wins, as in
//! automatic mode.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::new;
use crate::oci::tree::Tree;

/// One `--install`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Choice {
    link: String,
    name: String,
    path: String,
    priority: i64,
    /// Link, name and path of each.
    slaves: Vec<[String; 3]>,
}

/// Registers what scripts install; of slaves, those whose file is there.
pub fn add<'s>(
    tree: &mut Tree,
    scripts: impl IntoIterator<Item = &'s str>,
    place: &dyn Fn(&str) -> String,
    mtime: u64,
) {
    let mut groups: BTreeMap<String, Vec<Choice>> = BTreeMap::new();
    for choice in scripts.into_iter().flat_map(installs) {
        groups.entry(choice.name.clone()).or_default().push(choice);
    }
    for (name, choices) in groups {
        let present = |path: &str| new::has(tree, &place(path));
        let choices: Vec<Choice> = choices.into_iter().filter(|choice| present(&choice.path)).collect();
        let best = choices.iter().rev().max_by_key(|choice| choice.priority);
        let Some(best) = best else { continue };
        let slaves: Vec<&[String; 3]> = best.slaves.iter().filter(|[_, _, path]| present(path)).collect();
        let links = slaves.into_iter().map(|[link, name, path]| (link.clone(), name.clone(), path.clone()));
        let all: Vec<_> =
            [(best.link.clone(), best.name.clone(), best.path.clone())].into_iter().chain(links).collect();
        for (link, name, path) in all {
            new::link(tree, &place(&link), &format!("/etc/alternatives/{name}"), mtime);
            new::link(tree, &format!("etc/alternatives/{name}"), &path, mtime);
        }
        new::file(tree, &format!("var/lib/dpkg/alternatives/{name}"), 0o644, administrative(&choices), mtime);
    }
}

/// The file that update-alternatives keeps of a group.
fn administrative(choices: &[Choice]) -> String {
    let mut slaves: BTreeMap<&str, &str> = BTreeMap::new();
    choices.iter().flat_map(|choice| &choice.slaves).for_each(|[link, name, _]| _ = slaves.insert(name, link));
    let mut text = format!("auto\n{}\n", choices.first().map_or("", |choice| &choice.link));
    // Writing to a string can't fail.
    slaves.iter().for_each(|(name, link)| _ = write!(text, "{name}\n{link}\n"));
    text.push('\n');
    for choice in choices {
        let _ = write!(text, "{}\n{}\n", choice.path, choice.priority);
        for name in slaves.keys() {
            let path = choice.slaves.iter().find(|[_, slave, _]| slave == name).map_or("", |[_, _, path]| path);
            let _ = writeln!(text, "{path}");
        }
    }
    text.push('\n');
    text
}

fn installs(script: &str) -> Vec<Choice> {
    let joined = script.replace("\\\n", " ");
    joined.lines().filter_map(|line| install(line.trim())).collect()
}

fn install(line: &str) -> Option<Choice> {
    let (_, rest) = line.split_once("update-alternatives ")?;
    let rest = rest.split([';', '|', '>', '&']).next().unwrap_or(rest);
    let words: Vec<&str> = rest.split_whitespace().filter(|word| !["--quiet", "--force"].contains(word)).collect();
    if line.starts_with('#') || words.iter().any(|word| word.contains(['$', '`', '*', '"', '\''])) {
        return None;
    }
    let (["--install", link, name, path, priority], rest) = words.split_first_chunk::<5>()? else { return None };
    let slaves = rest.chunks(4).filter_map(|slave| match slave {
        ["--slave", link, name, path] => Some([link, name, path].map(|word| (*word).to_owned())),
        _ => None,
    });
    let owned = |word: &&str| (*word).to_owned();
    Some(Choice {
        link: owned(link),
        name: owned(name),
        path: owned(path),
        priority: priority.parse().ok()?,
        slaves: slaves.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_calls_are_read_and_those_with_variables_are_not() {
        let script = "if x; then\n  update-alternatives --install /usr/bin/awk awk /usr/bin/mawk 5 \\\n   --slave /a.1 a.1 /m.1 \\\n   --slave /b b /c\nfi\n\
                      update-alternatives --quiet --install /usr/bin/$x x /y 1\nupdate-alternatives --remove awk /usr/bin/mawk\n";
        let found = installs(script);
        assert_eq!(found.len(), 1);
        assert_eq!((&*found[0].link, &*found[0].path, found[0].priority), ("/usr/bin/awk", "/usr/bin/mawk", 5));
        assert_eq!(found[0].slaves[1], ["/b", "b", "/c"]);
        assert_eq!(administrative(&found), "auto\n/usr/bin/awk\na.1\n/a.1\nb\n/b\n\n/usr/bin/mawk\n5\n/m.1\n/c\n\n");
    }

    #[test]
    fn the_highest_priority_is_linked_and_slaves_only_where_their_file_is() {
        let mut tree = Tree::default();
        for path in ["usr/bin/mawk", "usr/bin/gawk"] {
            new::file(&mut tree, path, 0o755, "", 0);
        }
        let scripts = [
            "update-alternatives --install /usr/bin/awk awk /usr/bin/gawk 10 --slave /m m /none",
            "update-alternatives --install /usr/bin/awk awk /usr/bin/mawk 5",
        ];
        add(&mut tree, scripts, &|path| path.to_owned(), 0);
        let kind = |path| new::get(&tree, path).map(|entry| entry.kind.clone());
        use crate::oci::tree::EntryKind::Symlink;
        assert_eq!(kind("usr/bin/awk"), Some(Symlink(b"/etc/alternatives/awk".to_vec())));
        assert_eq!(kind("etc/alternatives/awk"), Some(Symlink(b"/usr/bin/gawk".to_vec())));
        assert_eq!(kind("etc/alternatives/m"), None);
        assert!(new::has(&tree, "var/lib/dpkg/alternatives/awk"));
    }
}
