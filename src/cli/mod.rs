//! One file per verb: arguments, one call, rendering.
