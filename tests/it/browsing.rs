//! The page of a picture in a real browser: headless Chromium does what a reader does, with the mouse and with keys alone.
//!
//! Driven by chromedriver, whose protocol (WebDriver) is JSON over HTTP.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use layerbuild::picture::{Detail, Picture, Tone, html};
use serde_json::{Value, json};

use crate::crossings::workspace;
use crate::support::has;

/// Keys as WebDriver names them.
const ENTER: &str = "\u{e007}";
const ESCAPE: &str = "\u{e00c}";
const TAB: &str = "\u{e004}";
const UP: &str = "\u{e013}";
const LEFT: &str = "\u{e012}";

/// A browser with a page; it ends when dropped.
struct Browser {
    driver: Child,
    /// `http://127.0.0.1:PORT/session/ID`
    session: String,
    _profile: tempfile::TempDir,
}

impl Drop for Browser {
    fn drop(&mut self) {
        call("DELETE", &self.session, &json!({}));
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// One call of the protocol; its `value`.
fn call(method: &str, url: &str, body: &Value) -> Value {
    let mut curl = Command::new("curl");
    curl.args(["-sS", "--noproxy", "*", "--max-time", "60", "-X", method, url]);
    if method == "POST" {
        curl.args(["-H", "Content-Type: application/json", "-d", &body.to_string()]);
    }
    let output = curl.output().expect("curl runs");
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{method} {url}: {output:?}"));
    let value = answer["value"].clone();
    assert!(value.get("error").is_none(), "{method} {url}: {value:#}");
    value
}

impl Browser {
    fn open(page: &Path) -> Self {
        let profile = tempfile::tempdir().expect("a folder");
        let mut driver =
            Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).spawn().expect("chromedriver starts");
        let said = BufReader::new(driver.stdout.as_mut().expect("a pipe")).lines().map_while(Result::ok);
        let port = said
            .filter_map(|line| Some(line.split_once("successfully on port ")?.1.trim_end_matches('.').parse::<u16>()));
        let port = port.flatten().next().expect("a port");
        let switches = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--window-size=1400,900",
            &format!("--user-data-dir={}", profile.path().display()),
        ];
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "args": switches }, "goog:loggingPrefs": { "browser": "ALL" } } } });
        let driver_url = format!("http://127.0.0.1:{port}/session");
        let id = call("POST", &driver_url, &wanted)["sessionId"].as_str().expect("a session").to_owned();
        let browser = Self { driver, session: format!("{driver_url}/{id}"), _profile: profile };
        browser.post("url", &json!({ "url": format!("file://{}", page.display()) }));
        browser
    }

    fn post(&self, what: &str, body: &Value) -> Value {
        call("POST", &format!("{}/{what}", self.session), body)
    }

    fn get(&self, what: &str) -> Value {
        call("GET", &format!("{}/{what}", self.session), &Value::Null)
    }

    /// The address of the first element that fits a selector.
    fn find(&self, selector: &str) -> String {
        let found = self.post("element", &json!({ "using": "css selector", "value": selector }));
        let id = found.as_object().and_then(|found| found.values().next()).and_then(Value::as_str);
        format!("element/{}", id.expect("an element's id"))
    }

    /// A real click: where the element is, with the mouse.
    fn click(&self, selector: &str) {
        let element = self.find(selector);
        self.post(&format!("{element}/click"), &json!({}));
    }

    /// Presses keys wherever the focus is.
    fn press(&self, keys: &str) {
        let strokes =
            |key: char| [json!({ "type": "keyDown", "value": key }), json!({ "type": "keyUp", "value": key })];
        let strokes: Vec<Value> = keys.chars().flat_map(strokes).collect();
        self.post("actions", &json!({ "actions": [{ "type": "key", "id": "keys", "actions": strokes }] }));
    }

    /// The value of an expression in the page.
    fn value(&self, expression: &str) -> Value {
        self.post("execute/sync", &json!({ "script": format!("return {expression};"), "args": [] }))
    }

    fn text(&self, selector: &str) -> String {
        let text = self.get(&format!("{}/text", self.find(selector)));
        text.as_str().expect("a text").to_owned()
    }

    /// What has the focus: its id.
    fn focus(&self) -> String {
        self.value("document.activeElement.id").as_str().unwrap_or_default().to_owned()
    }

    /// The width of what is seen, in the drawing's own measure.
    fn seen(&self) -> f64 {
        self.value("document.getElementById('view').viewBox.baseVal.width").as_f64().expect("a number")
    }
}

/// Forty targets, each with a state and a digest.
fn picture() -> Picture {
    let mut picture = workspace(40, 3);
    for (at, node) in picture.nodes.iter_mut().enumerate() {
        node.kind = "image rule".to_owned();
        node.state = Some((Tone::Open, "to build".to_owned()));
        let detail = |name: &str, value: String| Detail { name: name.to_owned(), value };
        node.details =
            vec![detail("digest", format!("sha256:{at:064}")), detail("last rebuilt", "<b>base</b> moved".to_owned())];
    }
    picture
}

fn opened(picture: &Picture) -> (Browser, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let page = folder.path().join("picture.html");
    html::write(picture, &mut std::fs::File::create(&page).expect("a file")).expect("a page");
    (Browser::open(&page), folder)
}

#[test]
#[ignore = "heavier proof: make acceptance"]
fn a_click_shows_what_is_known_of_a_target() {
    if !has(&["chromium", "chromedriver", "curl"]) {
        return;
    }
    let picture = picture();
    let (browser, _folder) = opened(&picture);
    let edge = &picture.edges[0];
    let (from, to) = (&picture.nodes[edge.from].id, &picture.nodes[edge.to].id);
    assert_eq!(browser.value("document.getElementById('panel').hidden"), true);
    browser.click(&format!("#n{}", edge.from));
    let panel = browser.text("#panel");
    let digest = picture.nodes[edge.from].details[0].value.as_str();
    for told in [from, "to build", "digest", digest, "<b>base</b> moved", "Needs", to] {
        assert!(panel.contains(told), "the panel does not say `{told}`:\n{panel}");
    }
    // Its links go to what it needs, which tells who needs it.
    browser.post(&format!("{}/click", browser.find("#about li a")), &json!({}));
    let next = browser.text("#chosen");
    assert!(picture.edges.iter().any(|edge| picture.nodes[edge.from].id == *from && picture.nodes[edge.to].id == next));
    assert!(browser.text("#panel").contains("Needed by") && browser.text("#panel").contains(from.as_str()));
    browser.click("#close");
    assert_eq!(browser.value("document.getElementById('panel').hidden"), true);
    assert_eq!(browser.get("url").as_str().map(|url| url.contains('#')), Some(false));
    nothing_went_wrong(&browser);
}

/// No complaint in the console, and nothing fetched.
fn nothing_went_wrong(browser: &Browser) {
    let log = browser.post("se/log", &json!({ "type": "browser" }));
    assert_eq!(log, json!([]), "the browser complains");
    assert_eq!(browser.value("performance.getEntriesByType('resource').length"), 0);
}

#[test]
#[ignore = "heavier proof: make acceptance"]
fn keys_alone_do_all_of_it() {
    if !has(&["chromium", "chromedriver", "curl"]) {
        return;
    }
    let picture = picture();
    let (browser, _folder) = opened(&picture);
    let tested = picture.nodes.iter().position(|node| node.id.ends_with("-test")).expect("a test");
    // Search, and what is found.
    browser.press(&format!("/{}", picture.nodes[tested].id));
    assert_eq!((browser.focus().as_str(), browser.text("#found").as_str()), ("find", "1 found"));
    browser.press(ENTER);
    assert_eq!(browser.text("#chosen"), picture.nodes[tested].id);
    assert_eq!(browser.text("#found"), "1 of 1");
    // Into the picture, along the test's one edge, and to the panel.
    browser.press(ESCAPE);
    assert_eq!(browser.focus(), format!("n{tested}"));
    let needed = picture.edges.iter().find(|edge| edge.from == tested).expect("an edge").to;
    let down = browser.value(&format!("document.getElementById('n{needed}').getBoundingClientRect().bottom < document.getElementById('n{tested}').getBoundingClientRect().top"));
    browser.press(if down == true { UP } else { LEFT });
    assert_eq!(browser.focus(), format!("n{needed}"));
    browser.press(ENTER);
    assert_eq!((browser.focus().as_str(), browser.text("#chosen")), ("chosen", picture.nodes[needed].id.clone()));
    browser.press(ESCAPE);
    assert_eq!(browser.focus(), format!("n{needed}"));
    // One stop for Tab in the whole picture.
    assert_eq!(browser.value("document.querySelectorAll('.node[tabindex=\"0\"]').length"), 1);
    browser.press(TAB);
    assert_ne!(browser.focus(), format!("n{needed}"));
    // Zoom, and back.
    browser.press("0");
    let all = browser.seen();
    browser.press("+");
    assert!(browser.seen() < all * 0.8);
    browser.press("0");
    assert!((browser.seen() - all).abs() < 0.01);
    nothing_went_wrong(&browser);
}

#[test]
#[ignore = "heavier proof: make acceptance"]
fn a_screen_reader_is_told_and_the_mouse_moves_the_view() {
    if !has(&["chromium", "chromedriver", "curl"]) {
        return;
    }
    let picture = picture();
    let (browser, _folder) = opened(&picture);
    let node = browser.find("#n0");
    assert_eq!(browser.get(&format!("{node}/computedrole")), "button");
    let label = browser.get(&format!("{node}/computedlabel"));
    let label = label.as_str().expect("a label");
    assert!(label.starts_with("//base:debian, image rule, to build, needs 0, needed by "), "{label}");
    assert_eq!(browser.get(&format!("{}/computedrole", browser.find("#find"))), "searchbox");
    assert_eq!(browser.get(&format!("{}/computedlabel", browser.find("#in"))), "Zoom in");
    // The wheel zooms where the mouse is; pulling moves.
    let before = browser.seen();
    let wheel = json!({ "type": "scroll", "x": 500, "y": 400, "deltaX": 0, "deltaY": -200, "duration": 0, "origin": "viewport" });
    browser.post("actions", &json!({ "actions": [{ "type": "wheel", "id": "wheel", "actions": [wheel] }] }));
    assert!(browser.seen() < before * 0.9);
    let at = |x: i32| json!({ "type": "pointerMove", "x": x, "y": 600, "duration": 20 });
    let left = || browser.value("document.getElementById('view').viewBox.baseVal.x").as_f64().expect("a number");
    let start = left();
    let pull =
        [at(900), json!({ "type": "pointerDown", "button": 0 }), at(700), json!({ "type": "pointerUp", "button": 0 })];
    browser.post("actions", &json!({ "actions": [{ "type": "pointer", "id": "mouse", "actions": pull }] }));
    assert!(left() > start);
    // Light and dark.
    let paper = |scheme: &str| {
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        browser.post("goog/cdp/execute", &json!({ "cmd": "Emulation.setEmulatedMedia", "params": media }));
        browser.value("getComputedStyle(document.body).backgroundColor")
    };
    assert_eq!((paper("light"), paper("dark")), (json!("rgb(255, 255, 255)"), json!("rgb(13, 17, 23)")));
    nothing_went_wrong(&browser);
}
