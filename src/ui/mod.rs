//! Consumers of build events: progress, plain lines, JSON.
