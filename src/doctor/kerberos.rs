//! The Kerberos settings that containers are commonly given from the host.

use std::collections::BTreeSet;
use std::path::Path;

use super::Finding;

/// `asked`: the variables of Kerberos that images ask for; `file`: where the host's settings should be.
pub fn check(asked: &BTreeSet<String>, file: &Path) -> Finding {
    let names: Vec<&str> = asked.iter().map(String::as_str).collect();
    let shown = file.display();
    match std::fs::read_to_string(file) {
        Ok(text) if text.contains("[realms]") || text.contains("default_realm") || text.contains("include") => {
            Finding::fine("kerberos", format!("{shown} is there"))
        }
        _ if names.is_empty() => Finding::not_needed("kerberos", "no image asks for KRB5_… or KRB_…"),
        Ok(_) => Finding::missing("kerberos", format!("{shown} names no realm"), fix(&names)),
        Err(error) => {
            let why = crate::reason::reason(&error);
            Finding::missing("kerberos", format!("{shown}: {why}"), fix(&names))
        }
    }
}

fn fix(names: &[&str]) -> String {
    format!(
        "{} is asked for by images: write a krb5.conf with your realm, or name one as KRB5_CONFIG",
        names.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn the_file_is_missed_only_where_an_image_asks() {
        let asked = BTreeSet::from(["KRB5_CONFIG".to_owned()]);
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(check(&asked, Path::new("/nowhere/krb5.conf")).state, State::Missing);
        assert_eq!(check(&BTreeSet::new(), Path::new("/nowhere/krb5.conf")).state, State::NotNeeded);
        assert_eq!(check(&asked, file.path()).found, format!("{} names no realm", file.path().display()));
        std::fs::write(file.path(), "[libdefaults]\ndefault_realm = X\n").unwrap();
        assert_eq!(check(&asked, file.path()).state, State::Fine);
    }
}
