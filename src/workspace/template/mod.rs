//! rules/*.toml → rules of the workspace's own, and what a target of such a rule stands for.
//!
//! `read` reads the files (`parameter` an attribute, `compile` a template's values), `judge` and `circle` find what is
//! wrong with a rule whoever calls it. `expand` makes targets of a call: `arguments` holds it against the rule,
//! `substitute` fills its values in. Values only are filled in, never text: no value can end the string that it stands in.

mod arguments;
mod circle;
mod compile;
mod expand;
mod judge;
mod known;
mod model;
mod origin;
mod parameter;
mod read;
mod size;
mod substitute;

pub use compile::OVER;
pub use expand::{Call, Made, expand};
pub use known::{Known, Which};
pub use model::{Condition, Parameter, Part, Rule, Rules};
pub use origin::Origin;
pub use parameter::KEYS as PARAMETER_KEYS;
pub use read::{FOLDER, KEYS as RULE_KEYS, TABLE, WHEN, files, read};
