//! An image's environment: `$NAME` taken from the base, variables overridden in place or appended.
//!
//! Takes and gives `NAME=value` lists as they stand in a config. Never sees the environment of the host.

/// A variable that can't be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvError {
    /// A name that no process can have.
    #[error("`{0}` is not a variable's name: it must not be empty or contain `=` or a NUL byte")]
    Name(String),
    /// A value that no process can have.
    #[error("env `{0}` contains a NUL byte")]
    Nul(String),
    /// `$NAME` where the base sets no such variable.
    #[error("env `{variable}` uses `${unknown}`, which the base does not set; write `$$` for a plain dollar")]
    Unknown {
        /// The variable that is being set.
        variable: String,
        /// The name that the base does not set.
        unknown: String,
    },
    /// A dollar that begins neither `$NAME`, `${NAME}` nor `$$`.
    #[error("env `{variable}`: `{text}` is neither `$NAME` nor `${{NAME}}`; write `$$` for a plain dollar")]
    Dollar {
        /// The variable that is being set.
        variable: String,
        /// The value from the dollar on.
        text: String,
    },
}

/// The base's environment with the new variables laid over it.
///
/// An overridden variable keeps its place; new ones follow in the order given. `$NAME` always is the base's value,
/// never that of another new variable.
pub fn overlay(base: &[String], new: &[(String, String)]) -> Result<Vec<String>, EnvError> {
    let mut result = base.to_vec();
    for (name, value) in new {
        check(name, value)?;
        set(&mut result, name, &expand(base, name, value)?);
    }
    Ok(result)
}

fn check(name: &str, value: &str) -> Result<(), EnvError> {
    if name.is_empty() || name.contains(['=', '\0']) {
        return Err(EnvError::Name(name.to_owned()));
    }
    if value.contains('\0') {
        return Err(EnvError::Nul(name.to_owned()));
    }
    Ok(())
}

/// Replaces the first entry of the name and removes any other, or appends.
fn set(env: &mut Vec<String>, name: &str, value: &str) {
    let entry = format!("{name}={value}");
    let is_it = |entry: &String| name_of(entry) == name;
    let Some(first) = env.iter().position(is_it) else {
        return env.push(entry);
    };
    let mut position = 0;
    env.retain(|entry| {
        position += 1;
        position - 1 <= first || !is_it(entry)
    });
    env[first] = entry;
}

fn name_of(entry: &str) -> &str {
    entry.split_once('=').map_or(entry, |(name, _)| name)
}

/// The value that a container would see: of several entries, engines take the last.
fn lookup<'a>(env: &'a [String], name: &str) -> Option<&'a str> {
    env.iter().rev().filter_map(|entry| entry.split_once('=')).find(|(key, _)| *key == name).map(|(_, value)| value)
}

fn expand(base: &[String], variable: &str, value: &str) -> Result<String, EnvError> {
    let mut result = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(dollar) = rest.find('$') {
        result.push_str(&rest[..dollar]);
        rest = &rest[dollar..];
        if let Some(after) = rest.strip_prefix("$$") {
            result.push('$');
            rest = after;
            continue;
        }
        let Some((name, after)) = reference(rest) else {
            return Err(EnvError::Dollar { variable: variable.to_owned(), text: rest.to_owned() });
        };
        let unknown = || EnvError::Unknown { variable: variable.to_owned(), unknown: name.to_owned() };
        result.push_str(lookup(base, name).ok_or_else(unknown)?);
        rest = after;
    }
    result.push_str(rest);
    Ok(result)
}

/// The name in a leading `$NAME` or `${NAME}`, and what follows it.
fn reference(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix('$')?;
    let (name, after) = match text.strip_prefix('{') {
        Some(braced) => braced.split_once('}')?,
        None => text.split_at(text.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count()),
    };
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && !name.is_empty();
    is_name.then_some((name, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn laid(base: &[&str], new: &[(&str, &str)]) -> Result<Vec<String>, EnvError> {
        let base: Vec<String> = base.iter().map(|entry| entry.to_string()).collect();
        let new: Vec<_> = new.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        overlay(&base, &new)
    }

    #[test]
    fn overridden_variables_keep_their_place_and_new_ones_follow_as_written() {
        let env = laid(&["A=1", "PATH=/bin", "C=3"], &[("Z", "9"), ("PATH", "/opt:$PATH"), ("B", "${A}$A")]);
        assert_eq!(env.unwrap(), ["A=1", "PATH=/opt:/bin", "C=3", "Z=9", "B=11"]);
    }

    #[test]
    fn two_dollars_are_one_and_values_are_not_expanded_again() {
        let env = laid(&["A=$B"], &[("X", "$$A$$$A-$${A}")]);
        assert_eq!(env.unwrap(), ["A=$B", "X=$A$$B-${A}"]);
    }

    #[test]
    fn a_variable_that_the_base_does_not_set_is_named() {
        let unknown = EnvError::Unknown { variable: "B".into(), unknown: "A".into() };
        assert_eq!(laid(&[], &[("A", "1"), ("B", "x${A}")]), Err(unknown));
    }

    #[test]
    fn any_other_dollar_is_refused() {
        for value in ["$", "a$", "$1", "${A", "${}", "${A:-x}", "$(id)", "$/"] {
            let error = laid(&["A=1"], &[("X", value)]).unwrap_err();
            assert!(matches!(error, EnvError::Dollar { .. }), "{value}: {error}");
        }
    }

    #[test]
    fn a_variable_that_the_base_sets_twice_is_overridden_once() {
        assert_eq!(laid(&["A=1", "B=2", "A=3"], &[("A", "<$A>")]).unwrap(), ["A=<3>", "B=2"]);
    }

    #[test]
    fn names_and_values_that_no_process_can_have_are_refused() {
        assert_eq!(laid(&[], &[("A=B", "")]), Err(EnvError::Name("A=B".into())));
        assert_eq!(laid(&[], &[("A", "\0")]), Err(EnvError::Nul("A".into())));
    }
}
