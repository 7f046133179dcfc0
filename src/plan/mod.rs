//! TargetGraph → actions with keys: what would run, and why.
