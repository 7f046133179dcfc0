//! Manifests: put under tags and digests, given as they came, deleted; and those that are refused.

use std::sync::Barrier;

use super::{Served, image, index};
use crate::digest::Digest;
use crate::oci::media_type::{DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST};

#[test]
fn a_manifest_is_given_back_as_it_came_by_tag_and_by_digest() {
    let served = Served::new();
    let manifest = served.image("a/b/c", "1", "layer");
    let digest = Digest::of(manifest.as_bytes()).to_string();
    for pointer in ["1", &digest] {
        let got = served.ask(&format!("GET /v2/a/b/c/manifests/{pointer}"));
        assert_eq!((got.status, got.text()), (200, manifest.clone()));
        let told = ["content-type", "docker-content-digest"].map(|name| got.header(name));
        assert_eq!(told, [Some(OCI_MANIFEST), Some(digest.as_str())]);
        let head = served.ask(&format!("HEAD /v2/a/b/c/manifests/{pointer}"));
        let length = manifest.len().to_string();
        assert_eq!((head.text(), head.header("content-length")), (String::new(), Some(length.as_str())));
    }
    let again = served.put("a/b/c", &digest, OCI_MANIFEST, &manifest);
    let there = format!("/v2/a/b/c/manifests/{digest}");
    assert_eq!((again.status, again.header("location")), (201, Some(there.as_str())));
    for unknown in ["a/b/c/manifests/2", "a/b/manifests/1", &format!("a/b/manifests/{digest}")] {
        assert_eq!(served.ask(&format!("GET /v2/{unknown}")).refusal(), (404, "MANIFEST_UNKNOWN".into()), "{unknown}");
    }
}

#[test]
fn a_tag_never_points_at_something_incomplete() {
    let served = Served::new();
    let old = served.image("a", "1", "old");
    served.blob("b", b"new");
    let new = image("new", "");
    let got = served.put("a", "1", OCI_MANIFEST, &new);
    assert_eq!(got.refusal(), (400, "MANIFEST_BLOB_UNKNOWN".into()));
    assert!(got.text().contains(&Digest::of(b"new").to_string()) && got.text().contains("1 stays"), "{}", got.text());
    assert_eq!(served.ask("GET /v2/a/manifests/1").text(), old);
    let both = index(&[&old, &new]);
    assert_eq!(served.put("a", "1", OCI_INDEX, &both).refusal(), (400, "MANIFEST_BLOB_UNKNOWN".into()));
    served.image("a", "new", "new");
    assert_eq!(served.put("a", "1", OCI_INDEX, &both).status, 201);
    assert_eq!(served.ask("GET /v2/a/manifests/1").header("content-type"), Some(OCI_INDEX));
}

#[test]
fn a_manifest_that_lies_about_sizes_or_about_itself_is_refused() {
    let served = Served::new();
    let manifest = served.image("a", "1", "layer");
    let lying = manifest.replace("\"size\":5", "\"size\":6");
    let got = served.put("a", "2", OCI_MANIFEST, &lying);
    assert_eq!(got.refusal(), (400, "MANIFEST_INVALID".into()));
    assert!(got.text().contains("has 6 bytes, which has 5"), "{}", got.text());
    let index = index(&[&manifest]).replace(&format!("\"size\":{}", manifest.len()), "\"size\":1");
    assert_eq!(served.put("a", "2", OCI_INDEX, &index).refusal(), (400, "MANIFEST_INVALID".into()));
    assert_eq!(served.put("a", "2", DOCKER_MANIFEST, &manifest).refusal(), (400, "MANIFEST_INVALID".into()));
    assert_eq!(served.put("a", "2", OCI_MANIFEST, "no JSON").refusal(), (400, "MANIFEST_INVALID".into()));
    let other = Digest::of(b"other").to_string();
    assert_eq!(served.put("a", &other, OCI_MANIFEST, &manifest).refusal(), (400, "DIGEST_INVALID".into()));
    assert_eq!(served.ask("GET /v2/a/tags/list").json()["tags"], serde_json::json!(["1"]));
}

#[test]
fn a_manifest_has_at_most_four_mebibytes() {
    let served = Served::new();
    served.image("a", "1", "layer");
    let sized = |size: usize| {
        let rest = image("layer", r#""annotations":{"x":""},"#).len();
        image("layer", &format!(r#""annotations":{{"x":"{}"}},"#, "y".repeat(size - rest)))
    };
    assert_eq!(served.put("a", "2", OCI_MANIFEST, &sized(4 << 20)).status, 201);
    let large = sized((4 << 20) + 1);
    assert_eq!(served.put("a", "3", OCI_MANIFEST, &large).refusal(), (413, "MANIFEST_INVALID".into()));
    let length = large.len().to_string();
    let headers = [("content-type", OCI_MANIFEST), ("content-length", length.as_str())];
    assert_eq!(served.send("PUT /v2/a/manifests/3", &headers, large).status, 413);
}

#[test]
fn a_tag_is_deleted_alone_and_a_manifest_with_all_its_tags() {
    let served = Served::new();
    let manifest = served.image("a", "1", "layer");
    served.image("a", "2", "layer");
    let (digest, delete) =
        (Digest::of(manifest.as_bytes()), |pointer: &str| served.ask(&format!("DELETE /v2/a/manifests/{pointer}")));
    assert_eq!(delete("1").status, 202);
    assert_eq!(delete("1").refusal(), (404, "MANIFEST_UNKNOWN".into()));
    assert_eq!(served.ask(&format!("GET /v2/a/manifests/{digest}")).status, 200);
    served.put("a", "index", OCI_INDEX, &index(&[&manifest]));
    let refused = delete(&digest.to_string());
    assert_eq!(refused.refusal(), (405, "UNSUPPORTED".into()), "an index would be left incomplete");
    delete(&Digest::of(index(&[&manifest]).as_bytes()).to_string());
    assert_eq!(delete(&digest.to_string()).status, 202);
    assert_eq!(served.ask("GET /v2/a/tags/list").refusal(), (404, "NAME_UNKNOWN".into()));
}

#[test]
fn what_says_something_about_a_manifest_is_listed_with_it() {
    let served = Served::new();
    let subject = served.image("a", "1", "layer");
    let digest = Digest::of(subject.as_bytes());
    let about = format!(r#""subject":{{"mediaType":"{OCI_MANIFEST}","digest":"{digest}","size":{}}},"#, subject.len());
    let sbom = image("layer", &format!(r#"{about}"artifactType":"x/sbom","annotations":{{"k":"v"}},"#));
    let plain = image("layer", &about);
    for manifest in [&sbom, &plain] {
        let got = served.put("a", &Digest::of(manifest.as_bytes()).to_string(), OCI_MANIFEST, manifest);
        assert_eq!((got.status, got.header("oci-subject")), (201, Some(digest.to_string().as_str())));
    }
    let list = |query: &str| served.ask(&format!("GET /v2/a/referrers/{digest}{query}"));
    let all = list("");
    assert_eq!(
        (all.status, all.header("content-type"), all.json()["manifests"].as_array().unwrap().len()),
        (200, Some(OCI_INDEX), 2)
    );
    let some = list("?artifactType=x/sbom");
    assert_eq!(some.header("oci-filters-applied"), Some("artifactType"));
    let expected = serde_json::json!([{"mediaType": OCI_MANIFEST, "digest": Digest::of(sbom.as_bytes()).to_string(),
        "size": sbom.len(), "artifactType": "x/sbom", "annotations": {"k": "v"}}]);
    assert_eq!(some.json()["manifests"], expected);
    let config = list("?artifactType=application%2Fvnd.oci.image.config.v1%2Bjson");
    assert_eq!(config.json()["manifests"].as_array().unwrap().len(), 1, "without a type of its own, its config's");
    let none = served.ask(&format!("GET /v2/b/referrers/{digest}"));
    assert_eq!((none.status, none.json()["manifests"].as_array().unwrap().len()), (200, 0));
}

#[test]
fn an_index_and_the_deletion_of_its_image_at_once_never_both_succeed() {
    let served = Served::new();
    for round in 0..20 {
        let repository = format!("r{round}");
        let image = served.image(&repository, "image", "layer");
        let list = index(&[&image]);
        let delete = format!("DELETE /v2/{repository}/manifests/{}", Digest::of(image.as_bytes()));
        let start = Barrier::new(2);
        let (put, deleted) = std::thread::scope(|scope| {
            let put = scope.spawn(|| {
                start.wait();
                served.put(&repository, "index", OCI_INDEX, &list).status
            });
            start.wait();
            let deleted = served.ask(&delete).status;
            (put.join().unwrap(), deleted)
        });
        assert!(matches!((put, deleted), (201, 405) | (400, 202)), "put {put}, deleted {deleted}");
        let tags = served.ask(&format!("GET /v2/{repository}/tags/list"));
        let expected = if put == 201 { serde_json::json!(["image", "index"]) } else { serde_json::Value::Null };
        assert_eq!(tags.json()["tags"], expected, "no tag without its manifest");
    }
}
