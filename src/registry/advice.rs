//! What to do about an answer: by the code that the registry gives (OCI distribution-spec, "Error codes"), else by status.
//!
//! Text only; knows nothing of requests.

/// What to do, as a clause that begins with a colon. `message`: the registry's own, `CODE: text`.
pub(super) fn advice(status: u16, message: &str) -> &'static str {
    by_code(message).unwrap_or(match status {
        413 => ": the registry, or a proxy before it, limits the size of an upload: raise that limit",
        429 => ": it limits the rate of requests: run the command again later",
        404 | 405 => ": check that this address is a registry and that it takes pushes to this repository",
        507 => ": its disk is full",
        500..=599 => ": the registry failed: look at its log, then run the command again",
        _ => ": look at the registry's log",
    })
}

fn by_code(message: &str) -> Option<&'static str> {
    let codes = message.split("; ").filter_map(|error| error.split(':').next());
    codes.into_iter().find_map(|code| match code {
        "DIGEST_INVALID" | "SIZE_INVALID" => {
            Some(": other bytes arrived than were sent: look for a proxy between that changes them, run the command again")
        }
        "BLOB_UNKNOWN" | "MANIFEST_BLOB_UNKNOWN" => {
            Some(": the registry has lost a blob that it said it has: run the command again")
        }
        "BLOB_UPLOAD_UNKNOWN" | "BLOB_UPLOAD_INVALID" | "RANGE_INVALID" => {
            Some(": the registry lost the upload: run the command again; where several answer for it, they must share uploads")
        }
        "NAME_UNKNOWN" => Some(": there is no such repository, and the registry makes none by itself: create it there"),
        "NAME_INVALID" => Some(": the registry does not take this name: check its prefix, or rename the package"),
        "MANIFEST_INVALID" => Some(": the registry does not take this kind of manifest: check which media types it allows"),
        "QUOTA_EXCEEDED" => {
            Some(": the project's quota is used up: free space there, or raise it")
        }
        "UNSUPPORTED" => Some(": the registry can't do this: it may be read-only, or a cache of another"),
        _ => None,
    })
}

/// Whether an answer to the moving of a tag says that the registry keeps tags where they are: no code of the
/// specification says so, and every registry has its own words.
pub(super) fn keeps_tag(status: u16, message: &str) -> bool {
    let text = message.to_ascii_lowercase();
    let said = ["immutab", "cannot be overwritten", "can't be overwritten", "already exists", "locked"];
    match status {
        409 | 412 => true,
        400 | 403 | 405 | 423 => said.iter().any(|word| text.contains(word)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_says_more_than_a_status() {
        assert!(advice(400, "DIGEST_INVALID: provided digest did not match").contains("proxy"));
        assert!(advice(404, "X: y; NAME_UNKNOWN: z").contains("create it"));
        assert!(advice(404, "").contains("is a registry"));
        assert!(advice(418, "TEAPOT: short").contains("log"));
    }

    #[test]
    fn the_words_of_registries_that_keep_tags_are_known() {
        for (status, message) in [
            (400, "TAG_INVALID: The image tag 'v1' already exists in the 'x' repository and cannot be overwritten"),
            (412, "PRECONDITION: Failed to process request due to 'x:v1' configured as immutable."),
            (403, "DENIED: cannot update tag v1. The repository has enabled tag immutability"),
            (409, "TAG_IMMUTABLE: no"),
        ] {
            assert!(keeps_tag(status, message), "{message}");
        }
        assert!(!keeps_tag(403, "DENIED: requested access to the resource is denied"));
        assert!(!keeps_tag(500, "immutable"));
    }
}
