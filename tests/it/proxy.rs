//! A proxy before a registry that counts requests and fails one of them in a chosen way: what a healthy registry never
//! does. One request a connection. Knows nothing of what the requests are for.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// How a request fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The connection is closed before anything is read.
    Refuse,
    /// It is closed in the middle of the request's body, half of which reaches the registry.
    CutRequest,
    /// The registry does it, and its answer is lost.
    CutAnswer,
    /// It is closed in the middle of the answer's headers.
    CutHead,
    /// It is closed in the middle of the answer's body.
    CutBody,
    /// Another status; the request doesn't reach the registry.
    Status(u16),
    /// 503 and 429 with `Retry-After: 0`.
    Later(u16),
    /// A page of HTML with 200.
    Page,
    /// An error whose JSON is cut off.
    BrokenJson,
    /// The registry's answer with another digest in its header.
    WrongDigest,
    /// Bytes that are no HTTP.
    Garbage,
    /// A redirect to where it came from.
    Circle,
    /// No answer, as long as the client waits; the request doesn't reach the registry.
    Silence,
    /// The same after the registry did it.
    SilentAnswer,
}

impl Fault {
    /// Those that pass when the request is made again.
    pub const PASSING: [Fault; 10] = [
        Fault::Refuse,
        Fault::CutRequest,
        Fault::CutAnswer,
        Fault::CutHead,
        Fault::CutBody,
        Fault::Status(500),
        Fault::Status(502),
        Fault::Status(408),
        Fault::Later(503),
        Fault::Later(429),
    ];
    /// Those that say something else than that it failed.
    pub const LASTING: [Fault; 8] = [
        Fault::Status(400),
        Fault::Status(401),
        Fault::Status(403),
        Fault::Page,
        Fault::BrokenJson,
        Fault::WrongDigest,
        Fault::Garbage,
        Fault::Circle,
    ];
}

#[derive(Default)]
struct State {
    /// The request lines so far.
    seen: Vec<String>,
    /// Bytes of request bodies so far, those cut off included.
    bytes: u64,
    /// Which request fails, counted from 0, and how.
    fault: Option<(usize, Fault)>,
    /// Who is told when it came.
    told: Option<Box<dyn FnOnce() + Send>>,
}

/// A proxy that ends with the test.
pub struct Proxy {
    /// `127.0.0.1:PORT`
    pub address: String,
    state: Arc<Mutex<State>>,
}

impl Proxy {
    /// Before `upstream`, `127.0.0.1:PORT`. Bodies larger than `limit` are answered with 413.
    pub fn start(upstream: &str, limit: usize) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let state: Arc<Mutex<State>> = Arc::default();
        let (shared, upstream) = (state.clone(), upstream.to_owned());
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (state, upstream) = (shared.clone(), upstream.clone());
                std::thread::spawn(move || Exchange { client: &stream, upstream: &upstream, limit }.run(&state));
            }
        });
        Proxy { address, state }
    }

    /// Begins to count anew; the request of this number will fail.
    pub fn arm(&self, fault: Option<(usize, Fault)>) {
        *self.state.lock().expect("the state") = State { fault, ..State::default() };
    }

    /// The same; `told` is called once that request is here, and has gone on to the registry if it ever will.
    pub fn arm_and_tell(&self, fault: (usize, Fault), told: impl FnOnce() + Send + 'static) {
        let (fault, told) = (Some(fault), Some(Box::new(told) as Box<_>));
        *self.state.lock().expect("the state") = State { fault, told, ..State::default() };
    }

    /// The request lines since, `METHOD /path`.
    pub fn seen(&self) -> Vec<String> {
        self.state.lock().expect("the state").seen.clone()
    }

    /// How many bytes of bodies were sent since.
    pub fn bytes(&self) -> u64 {
        self.state.lock().expect("the state").bytes
    }
}

struct Exchange<'a> {
    client: &'a TcpStream,
    upstream: &'a str,
    limit: usize,
}

/// A message's head and as much of its body as is wanted.
struct Message {
    head: String,
    body: Vec<u8>,
}

impl Message {
    fn line(&self) -> String {
        let line = self.head.lines().next().unwrap_or_default();
        line.rsplit_once(' ').map_or(line, |(line, _)| line).to_owned()
    }
}

impl Exchange<'_> {
    fn run(&self, state: &Mutex<State>) {
        let mut reader = BufReader::new(self.client);
        let Some(head) = head(&mut reader) else { return };
        let mut request = Message { head, body: Vec::new() };
        let fault = {
            let mut state = state.lock().expect("the state");
            state.seen.push(request.line());
            let number = state.seen.len() - 1;
            state.fault.filter(|(at, _)| *at == number).map(|(_, fault)| fault)
        };
        if fault == Some(Fault::Refuse) {
            let _ = self.client.shutdown(Shutdown::Both);
            return;
        }
        let length = length(&request.head);
        let wanted = if fault == Some(Fault::CutRequest) { length / 2 } else { length };
        let _ = reader.by_ref().take(wanted as u64).read_to_end(&mut request.body);
        state.lock().expect("the state").bytes += request.body.len() as u64;
        if matches!(fault, Some(Fault::Silence | Fault::SilentAnswer)) {
            if fault == Some(Fault::SilentAnswer) {
                self.forward(&request);
            }
            let told = state.lock().expect("the state").told.take();
            told.into_iter().for_each(|told| told());
            let _ = std::io::copy(&mut reader, &mut std::io::sink());
            return;
        }
        let answer = match fault {
            _ if fault != Some(Fault::CutRequest) && request.body.len() > self.limit => status(413, "", "too large"),
            Some(fault) => self.fail(&request, fault),
            None => self.forward(&request),
        };
        let mut client = self.client;
        let _ = client.write_all(&answer);
        let _ = client.shutdown(Shutdown::Both);
    }

    /// What the client gets in place of an answer.
    fn fail(&self, request: &Message, fault: Fault) -> Vec<u8> {
        let cut = |answer: Vec<u8>, from: usize| answer[..(from + answer.len()) / 2].to_vec();
        match fault {
            Fault::Refuse | Fault::Silence | Fault::SilentAnswer => Vec::new(),
            Fault::CutRequest | Fault::CutAnswer => {
                self.forward(request);
                Vec::new()
            }
            Fault::CutHead => {
                let answer = self.forward(request);
                let end = end_of_head(&answer);
                cut(answer[..end].to_vec(), 0)
            }
            Fault::CutBody => {
                let answer = self.forward(request);
                let end = end_of_head(&answer);
                // Without a body the cut falls into the head.
                if end == answer.len() { cut(answer, 0) } else { cut(answer, end) }
            }
            Fault::Status(code) => status(code, "", ""),
            Fault::Later(code) => status(code, "Retry-After: 0\r\n", ""),
            Fault::Page => status(200, "Content-Type: text/html\r\n", "<html><body>Please log in</body></html>"),
            Fault::BrokenJson => status(400, "Content-Type: application/json\r\n", r#"{"errors":[{"code":"DEN"#),
            Fault::WrongDigest => with_wrong_digest(self.forward(request)),
            Fault::Garbage => b"\x00\x01 no HTTP at all\r\n\r\n".to_vec(),
            Fault::Circle => {
                let to = request.line().split(' ').nth(1).unwrap_or("/").to_owned();
                status(307, &format!("Location: {to}\r\n"), "")
            }
        }
    }

    /// The registry's answer; where less of the body is there than promised, the connection is then cut.
    fn forward(&self, request: &Message) -> Vec<u8> {
        let Ok(mut upstream) = TcpStream::connect(self.upstream) else { return Vec::new() };
        let lines = request.head.lines().filter(|line| !line.to_ascii_lowercase().starts_with("connection:"));
        let head: String = lines.filter(|line| !line.is_empty()).map(|line| format!("{line}\r\n")).collect();
        let _ = upstream.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes());
        let _ = upstream.write_all(&request.body);
        if request.body.len() < length(&request.head) {
            // The registry sees the end, says what it makes of it, and is done before the client may go on.
            let _ = upstream.shutdown(Shutdown::Write);
        }
        let mut answer = Vec::new();
        let _ = upstream.read_to_end(&mut answer);
        answer
    }
}

fn head(reader: &mut impl BufRead) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    Some(head)
}

fn length(head: &str) -> usize {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    let mut lengths = lines.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    lengths.next().and_then(|(_, value)| value.trim().parse().ok()).unwrap_or(0)
}

fn end_of_head(answer: &[u8]) -> usize {
    answer.windows(4).position(|window| window == b"\r\n\r\n").map_or(answer.len(), |at| at + 4)
}

fn status(code: u16, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {code} Whatever\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}")
        .into_bytes()
}

fn with_wrong_digest(mut answer: Vec<u8>) -> Vec<u8> {
    let name = b"Docker-Content-Digest: sha256:";
    if let Some(at) = answer.windows(name.len()).position(|window| window == name) {
        let digit = &mut answer[at + name.len()];
        *digit = if *digit == b'0' { b'1' } else { b'0' };
    }
    answer
}
