//! Lists of repositories and tags.

use serde_json::json;

use super::Served;

#[test]
fn repositories_and_tags_are_listed_page_by_page() {
    let served = Served::new();
    for (repository, tag) in [("team/b", "1"), ("a", "v2"), ("a", "V1"), ("a", "latest"), ("a/deep/er", "1")] {
        served.image(repository, tag, "layer");
    }
    served.blob("only/blobs", b"x");
    assert_eq!(served.ask("GET /v2/_catalog").json()["repositories"], json!(["a", "a/deep/er", "team/b"]));
    let tags = served.ask("GET /v2/a/tags/list");
    assert_eq!(tags.json(), json!({"name": "a", "tags": ["latest", "V1", "v2"]}));
    assert_eq!(tags.header("link"), None);
    let first = served.ask("GET /v2/a/tags/list?n=2");
    assert_eq!(first.json()["tags"], json!(["latest", "V1"]));
    assert_eq!(first.header("link"), Some("</v2/a/tags/list?n=2&last=V1>; rel=\"next\""));
    assert_eq!(served.ask("GET /v2/a/tags/list?n=2&last=V1").json()["tags"], json!(["v2"]));
    let catalog = served.ask("GET /v2/_catalog?n=1&last=a");
    assert_eq!(catalog.json()["repositories"], json!(["a/deep/er"]));
    assert_eq!(catalog.header("link"), Some("</v2/_catalog?n=1&last=a%2Fdeep%2Fer>; rel=\"next\""));
    assert_eq!(served.ask("GET /v2/a/tags/list?n=x").refusal(), (400, "PAGINATION_NUMBER_INVALID".into()));
    assert_eq!(served.ask("GET /v2/only/blobs/tags/list").refusal(), (404, "NAME_UNKNOWN".into()));
    assert_eq!(served.ask("GET /v2/NO/tags/list").refusal(), (400, "NAME_INVALID".into()));
}

#[test]
fn a_repository_without_tags_is_one_as_long_as_it_holds_manifests() {
    let served = Served::new();
    served.image("a", "1", "layer");
    assert_eq!(served.ask("DELETE /v2/a/manifests/1").status, 202);
    assert_eq!(served.ask("GET /v2/a/tags/list").json(), json!({"name": "a", "tags": []}));
    assert_eq!(served.ask("GET /v2/_catalog").json()["repositories"], json!(["a"]));
}
