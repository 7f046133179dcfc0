//! Expression → targets, over a small trait.
