//! The page stands on its own and takes any text for text.

