//! `paths`, `absent-paths`: what must stand in the image, and what must not.

use globset::GlobBuilder;

use super::root::is_file;
use super::{Contents, Finding, Root, Subject};
use crate::action::{Expected, ExpectedPath, PathKind};
use crate::layer_path::LayerPath;
use crate::oci::overlay::Placed;
use crate::oci::tree::Kind;

/// So many paths that a glob should not find are named.
const NAMED: usize = 10;

/// What does not stand as it should, or stands where nothing should.
pub fn check<C: Contents>(expected: &Expected, subject: &Subject<'_, C>) -> Result<Vec<Finding>, C::Error> {
    let mut found = Vec::new();
    for pattern in &expected.absent_paths {
        found.extend(absent(pattern, &subject.root));
    }
    for (path, expected) in &expected.paths {
        found.extend(at(path, expected, &subject.root)?);
    }
    Ok(found)
}

/// Of a directory that a glob finds, what is below it is not told again.
fn absent<C>(pattern: &str, root: &Root<'_, C>) -> Vec<Finding> {
    // The rule has judged the pattern before.
    let Ok(glob) = GlobBuilder::new(pattern).literal_separator(true).backslash_escape(true).build() else {
        return Vec::new();
    };
    let glob = glob.compile_matcher();
    let mut there: Vec<Placed<'_>> = Vec::new();
    for placed in root.entries() {
        let path = &placed.entry.path;
        let told = there.last().is_some_and(|last| path.starts_with(&last.entry.path));
        if !told && glob.is_match(path.to_string()) {
            there.push(placed);
        }
    }
    let expected = || format!("nothing at `{pattern}`");
    let finding = |placed: &Placed<'_>| {
        Finding::new("absent-paths", "", expected(), placed.entry.path.to_string()).from(root.label(*placed))
    };
    let more = there.len().checked_sub(NAMED).filter(|more| *more > 0);
    let more = more.map(|more| Finding::new("absent-paths", "", expected(), format!("{more} more")));
    there.iter().take(NAMED).map(finding).chain(more).collect()
}

/// Links are followed, unless one is what is asked for.
fn at<C: Contents>(path: &LayerPath, wanted: &ExpectedPath, root: &Root<'_, C>) -> Result<Vec<Finding>, C::Error> {
    let itself = wanted.kind == Some(PathKind::Symlink) || wanted.target.is_some();
    let placed = match root.follow(path.as_bytes(), !itself) {
        Ok(placed) => placed,
        Err(lost) => {
            let kind = wanted.kind.map_or("something", said);
            return Ok(vec![Finding::new("paths", path.to_string(), kind, lost.to_string())]);
        }
    };
    let mut found = listed(wanted, placed);
    if is_file(placed) && (wanted.content.is_some() || wanted.contains.is_some()) {
        found.extend(content(wanted, placed, root)?);
    } else if wanted.content.is_some() || wanted.contains.is_some() {
        found.push(("a file with a text".to_owned(), format!("a {}", placed.entry.kind)));
    }
    let finding = |(expected, found): (String, String)| {
        Finding::new("paths", path.to_string(), expected, found).from(root.label(placed))
    };
    Ok(found.into_iter().map(finding).collect())
}

/// What a listing tells: pairs of what is expected and what is there.
fn listed(wanted: &ExpectedPath, placed: Placed<'_>) -> Vec<(String, String)> {
    let entry = placed.entry;
    let target = String::from_utf8_lossy(&entry.target).into_owned();
    let executable = is_file(placed) && entry.mode & 0o111 != 0;
    let can = |yes: bool| if yes { "an executable file" } else { "no executable file" }.to_owned();
    let owner = |uid: u64, gid: u64| format!("owner {uid}:{gid}");
    let mut pairs = Vec::new();
    pairs.extend(wanted.kind.map(|kind| (said(kind).to_owned(), kind_of(placed))));
    pairs.extend(wanted.mode.map(|mode| (format!("mode {mode:04o}"), format!("mode {:04o}", entry.mode))));
    pairs.extend(wanted.owner.map(|wanted| (owner(wanted.uid, wanted.gid), owner(entry.uid, entry.gid))));
    let link = if target.is_empty() { kind_of(placed) } else { format!("a link to {target}") };
    pairs.extend(wanted.target.as_ref().map(|wanted| (format!("a link to {wanted}"), link)));
    pairs.extend(wanted.executable.map(|wanted| (can(wanted), can(executable))));
    pairs.retain(|(expected, found)| expected != found);
    pairs
}

fn content<C: Contents>(
    wanted: &ExpectedPath,
    placed: Placed<'_>,
    root: &Root<'_, C>,
) -> Result<Vec<(String, String)>, C::Error> {
    /// What is longer is no text that somebody writes into a test.
    const MOST: u64 = 64 << 20;
    let bytes = root.read(placed, MOST)?;
    let mut pairs = Vec::new();
    if let Some(text) = wanted.content.as_ref().filter(|text| text.as_bytes() != bytes) {
        pairs.push((format!("the text {}", quoted(text.as_bytes())), quoted(&bytes)));
    }
    if let Some(text) = wanted.contains.as_ref().filter(|text| !holds(&bytes, text.as_bytes())) {
        pairs.push((format!("a text with {}", quoted(text.as_bytes())), quoted(&bytes)));
    }
    Ok(pairs)
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    part.is_empty() || bytes.windows(part.len()).any(|window| window == part)
}

/// The beginning of a text, on one line.
fn quoted(bytes: &[u8]) -> String {
    const SHOWN: usize = 60;
    let text: String = String::from_utf8_lossy(bytes).chars().take(SHOWN).collect();
    if text.len() < bytes.len() { format!("{text:?}… ({} bytes)", bytes.len()) } else { format!("{text:?}") }
}

fn said(kind: PathKind) -> &'static str {
    match kind {
        PathKind::File => "a file",
        PathKind::Directory => "a directory",
        PathKind::Symlink => "a symbolic link",
    }
}

fn kind_of(placed: Placed<'_>) -> String {
    match placed.entry.kind {
        Kind::File | Kind::HardLink => said(PathKind::File).to_owned(),
        Kind::Symlink => said(PathKind::Symlink).to_owned(),
        other => format!("a {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Image;
    use super::*;
    use crate::action::Owner;

    fn image() -> Image {
        Image::default()
            .layer("//:base", |layer| {
                layer.text("/usr/bin/gcc", 0o755, "").text("/etc/app.conf", 0o644, "mode = 1\n");
                layer.link("/bin", "usr/bin").link("/usr/bin/cc", "gcc");
            })
            .layer("//:app", |layer| _ = layer.text("/usr/lib/gcc/a", 0o644, "").text("/usr/lib/gcc/b", 0o644, ""))
    }

    fn asked(path: &str, expected: ExpectedPath) -> Expected {
        Expected { paths: [(LayerPath::new(path).unwrap(), expected)].into(), ..Expected::default() }
    }

    #[test]
    fn what_a_glob_finds_is_told_with_its_layer_and_a_directory_once() {
        let absent =
            |pattern: &str| image().judged(Expected { absent_paths: vec![pattern.into()], ..Expected::default() });
        assert_eq!(absent("/usr/bin/clang*"), [""; 0]);
        assert_eq!(
            absent("/usr/**/gcc"),
            [
                "absent-paths: expected nothing at `/usr/**/gcc`, found /usr/bin/gcc (from //:base)",
                "absent-paths: expected nothing at `/usr/**/gcc`, found /usr/lib/gcc (from //:app)",
            ]
        );
    }

    #[test]
    fn a_path_is_held_against_all_that_is_asked_of_it() {
        let good = ExpectedPath {
            kind: Some(PathKind::File),
            mode: Some(0o755),
            owner: Some(Owner::default()),
            executable: Some(true),
            ..ExpectedPath::default()
        };
        assert_eq!(image().judged(asked("/bin/cc", good)), [""; 0], "through links");
        let wrong = ExpectedPath {
            kind: Some(PathKind::Directory),
            mode: Some(0o600),
            owner: Some(Owner { uid: 7, gid: 0 }),
            executable: Some(true),
            content: Some("mode = 2\n".into()),
            contains: Some("mode =".into()),
            target: None,
        };
        assert_eq!(
            image().judged(asked("/etc/app.conf", wrong)),
            [
                "paths: /etc/app.conf: expected a directory, found a file (from //:base)",
                "paths: /etc/app.conf: expected mode 0600, found mode 0644 (from //:base)",
                "paths: /etc/app.conf: expected owner 7:0, found owner 0:0 (from //:base)",
                "paths: /etc/app.conf: expected an executable file, found no executable file (from //:base)",
                "paths: /etc/app.conf: expected the text \"mode = 2\\n\", found \"mode = 1\\n\" (from //:base)",
            ]
        );
    }

    #[test]
    fn a_link_is_looked_at_where_it_is_asked_for() {
        let to = |target: &str| ExpectedPath { target: Some(target.into()), ..ExpectedPath::default() };
        assert_eq!(image().judged(asked("/usr/bin/cc", to("gcc"))), [""; 0]);
        assert_eq!(
            image().judged(asked("/usr/bin/cc", to("clang"))),
            ["paths: /usr/bin/cc: expected a link to clang, found a link to gcc (from //:base)"]
        );
        let any = image().judged(asked("/usr/bin/none", ExpectedPath::default()));
        assert_eq!(any, ["paths: /usr/bin/none: expected something, found nothing"]);
    }
}
