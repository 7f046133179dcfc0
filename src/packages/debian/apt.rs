//! apt's lists of archives: sources.list(5), the one-line form and the deb822 form.
//!
//! Texts in, archives out. Lines that name no binary packages, or a transport that isn't read here, are passed over.

use super::control::{Paragraph, paragraphs};

/// Suites at addresses that hold the same, and the keys that sign for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// `http://`, `https://` or `file://`, without a slash at the end; each holds the whole archive.
    pub addresses: Vec<String>,
    /// Names below `dists`; one that ends in a slash is a flat archive's folder.
    pub suites: Vec<String>,
    /// Empty for a flat archive.
    pub components: Vec<String>,
    /// Debian's names of the architectures that are taken; empty: any.
    pub architectures: Vec<String>,
    /// Whose signatures count.
    pub keys: Keys,
    /// Whether the archive's own `Valid-Until` counts.
    pub check_valid_until: bool,
}

/// Whose signatures count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keys {
    /// Whatever this machine trusts for every archive.
    Machine,
    /// Keyrings in files.
    Files(Vec<String>),
    /// A key in the list itself, armoured.
    Inline(String),
}

/// The archives of a `sources.list`.
pub fn one_line(text: &str) -> Vec<Archive> {
    text.lines().filter_map(line).collect()
}

fn line(line: &str) -> Option<Archive> {
    let line = line.split('#').next().unwrap_or(line).trim();
    let rest = line.strip_prefix("deb")?.strip_prefix([' ', '\t'])?.trim_start();
    let (options, rest) = match rest.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => ("", rest),
    };
    let mut words = rest.split_whitespace();
    let addresses = vec![address(words.next()?)?];
    let suites = vec![words.next()?.to_owned()];
    let option = |name: &str| {
        let values = options.split_whitespace().filter_map(|option| option.split_once('='));
        values.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    };
    let list = |text: &str| text.split(',').map(str::to_owned).collect();
    Some(Archive {
        addresses,
        suites,
        components: words.map(str::to_owned).collect(),
        architectures: option("arch").map(list).unwrap_or_default(),
        keys: option("signed-by").map_or(Keys::Machine, |files| Keys::Files(list(files))),
        check_valid_until: true,
    })
}

/// The archives of a `.sources` file.
pub fn deb822(text: &str) -> Vec<Archive> {
    let uncommented: String =
        text.lines().filter(|line| !line.starts_with('#')).flat_map(|line| [line.trim_end(), "\n"]).collect();
    paragraphs(&uncommented).filter_map(stanza).collect()
}

fn stanza(paragraph: Paragraph<'_>) -> Option<Archive> {
    let words = |name: &str| -> Vec<String> {
        paragraph.get(name).unwrap_or_default().split_whitespace().map(str::to_owned).collect()
    };
    let disabled = paragraph.get("Enabled").is_some_and(|value| ["no", "false", "0", "off"].contains(&value));
    if disabled || !words("Types").iter().any(|kind| kind == "deb") {
        return None;
    }
    let keys = match paragraph.get("Signed-By") {
        None => Keys::Machine,
        Some(key) if key.contains("-----BEGIN") => Keys::Inline(unfolded(key)),
        Some(files) => {
            Keys::Files(files.split([' ', ',', '\n']).filter(|file| !file.is_empty()).map(str::to_owned).collect())
        }
    };
    let archive = Archive {
        addresses: words("URIs").iter().filter_map(|text| address(text)).collect(),
        suites: words("Suites"),
        components: words("Components"),
        architectures: words("Architectures"),
        keys,
        check_valid_until: true,
    };
    (!archive.addresses.is_empty() && !archive.suites.is_empty()).then_some(archive)
}

/// A value of several lines as it was before it became one: without the first space, ` .` for an empty line.
fn unfolded(value: &str) -> String {
    let lines = value.lines().map(|line| match line.trim() {
        "." => "",
        line => line,
    });
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// An address that can be read here, in one form.
pub fn address(text: &str) -> Option<String> {
    let text = match text.strip_prefix("copy:").or_else(|| text.strip_prefix("file:")) {
        Some(path) => format!("file://{}", path.strip_prefix("//").unwrap_or(path)),
        None => text.to_owned(),
    };
    let known = ["http://", "https://", "file:///"].iter().any(|scheme| text.starts_with(scheme));
    known.then(|| text.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_address_suite_components_and_options() {
        let text = "# deb http://no.example x y\ndeb-src http://a.example s main\ncdrom: x\n\
                    deb [arch=amd64,arm64 signed-by=/k/a.gpg] http://a.example/debian/ bookworm main contrib # why\n\
                    deb file:/srv/flat ./\n";
        let archives = one_line(text);
        assert_eq!(archives.len(), 2);
        assert_eq!(archives[0].addresses, ["http://a.example/debian"]);
        assert_eq!((&*archives[0].suites[0], &*archives[0].components.join(" ")), ("bookworm", "main contrib"));
        assert_eq!(archives[0].keys, Keys::Files(vec!["/k/a.gpg".into()]));
        assert_eq!(archives[0].architectures, ["amd64", "arm64"]);
        assert_eq!((&*archives[1].addresses[0], &*archives[1].suites[0]), ("file:///srv/flat", "./"));
    }

    #[test]
    fn a_stanza_says_the_same_and_may_hold_the_key() {
        let text = "Types: deb deb-src\n# a note\nURIs: https://a.example/x mirror://b.example\nSuites: s s-updates\n\
                    Components: main\nSigned-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n AAAA\n -----END PGP PUBLIC KEY BLOCK-----\n\n\
                    Types: deb\nURIs: https://b.example\nSuites: s\nEnabled: no\n\nTypes: deb-src\nURIs: https://c.example\nSuites: s\n";
        let archives = deb822(text);
        assert_eq!(archives.len(), 1);
        assert_eq!((archives[0].addresses.len(), archives[0].suites.len()), (1, 2));
        let Keys::Inline(key) = &archives[0].keys else { panic!("no key") };
        assert_eq!(key, "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n-----END PGP PUBLIC KEY BLOCK-----\n");
    }
}
