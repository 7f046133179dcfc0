//! Runs actions. Knows nothing of TOML, rules or the target graph.
