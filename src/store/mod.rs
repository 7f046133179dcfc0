//! What is kept on disk: blobs by digest, action records, file hashes, locks.
