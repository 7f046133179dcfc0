//! One file per rule: typed attributes → which actions they stand for.
