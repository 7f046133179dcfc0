//! What this machine has and lacks for a workspace: one file a check, each with its cause and what to do.
//!
//! A check looks at what it is handed (addresses, folders, variables) and asks the module that would use it: what it says
//! is what a build would say. `needs` reads from a workspace what is used at all. Knows no flag and prints nothing.

pub mod archives;
pub mod certificates;
pub mod clock;
pub mod engine;
pub mod git;
pub mod kerberos;
pub mod needs;
pub mod proxies;
pub mod registry;
pub mod rust;
pub mod sandbox;
pub mod space;

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at: one word.
    pub what: &'static str,
    /// How it stands.
    pub state: State,
    /// What is there, or the cause.
    pub found: String,
    /// What to do; `None` where nothing has to be done, or the cause says it.
    pub fix: Option<String>,
}

/// How something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is there.
    Fine,
    /// The workspace needs it, and it isn't there.
    Missing,
    /// The workspace does without it.
    NotNeeded,
    /// It can't be told.
    Unknown,
}

impl State {
    /// For people and programs.
    pub fn word(self) -> &'static str {
        match self {
            State::Fine => "ok",
            State::Missing => "missing",
            State::NotNeeded => "not needed",
            State::Unknown => "unknown",
        }
    }
}

impl Finding {
    /// It is there.
    pub fn fine(what: &'static str, found: impl Into<String>) -> Finding {
        Finding { what, state: State::Fine, found: found.into(), fix: None }
    }

    /// It isn't there. `fix`: what to do.
    pub fn missing(what: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Finding {
        Finding { what, state: State::Missing, found: found.into(), fix: Some(fix.into()) }
    }

    /// Nothing uses it.
    pub fn not_needed(what: &'static str, found: impl Into<String>) -> Finding {
        Finding { what, state: State::NotNeeded, found: found.into(), fix: None }
    }

    /// It can't be told.
    pub fn unknown(what: &'static str, found: impl Into<String>) -> Finding {
        Finding { what, state: State::Unknown, found: found.into(), fix: None }
    }

    /// What is missing is no matter where it isn't needed; what to do stays, for whoever wants it.
    #[must_use]
    pub fn needed(mut self, needed: bool) -> Finding {
        if self.state == State::Missing && !needed {
            self.state = State::NotNeeded;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_and_not_needed_is_no_fault() {
        let missing = Finding::missing("engine", "none", "install one");
        assert_eq!(missing.clone().needed(true).state, State::Missing);
        assert_eq!(missing.needed(false).state, State::NotNeeded);
        assert_eq!(Finding::fine("engine", "docker").needed(false).state, State::Fine);
    }
}
