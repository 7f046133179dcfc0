//! What an edit rebuilds, and what is told of it: no more than must be, and no less than the truth.
