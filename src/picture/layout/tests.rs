//! What any layout keeps, on graphs that a seed grows.
