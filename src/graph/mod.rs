//! Workspace → TargetGraph: labels resolved, duplicates, cycles.
