//! A tiny HTTP server for tests: answers each request as a closure says, remembers them all. One request a connection,
//! with TLS or without.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A request as it came in.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    /// `METHOD /path?query`
    pub line: String,
    /// Header lines, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, as much of it as came.
    pub body: Vec<u8>,
    /// Whether the body was all that its length promised.
    pub whole: bool,
}

impl Seen {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// What to answer.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    /// How much of the body is sent.
    sent: usize,
    then: Then,
}

/// What comes after the part of an answer that is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// The connection is closed.
    Close,
    /// Nothing, until the client has enough of it.
    Silence,
    /// The rest, a byte now and then.
    Drip,
}

impl Reply {
    /// An answer without body.
    pub fn new(status: u16) -> Reply {
        Reply { status, headers: Vec::new(), body: Vec::new(), sent: usize::MAX, then: Then::Close }
    }

    /// No answer: the connection is closed.
    pub fn cut() -> Reply {
        Reply::new(0)
    }

    /// Adds a header.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Reply {
        self.headers.push((name, value.into()));
        self
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Reply {
        self.body = body.into();
        self
    }

    /// Ends the connection after some bytes of the body.
    pub fn broken_after(mut self, sent: usize) -> Reply {
        self.sent = sent;
        self
    }

    /// Sends the body a byte now and then.
    pub fn dripping(mut self) -> Reply {
        self.then = Then::Drip;
        self.broken_after(0)
    }

    /// Falls silent after some bytes of the body.
    pub fn silent_after(mut self, sent: usize) -> Reply {
        self.then = Then::Silence;
        self.broken_after(sent)
    }
}

/// A server that ends with the test.
pub(super) struct Fake {
    /// `127.0.0.1:PORT`
    pub address: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Fake {
    /// Starts a server on a free port. `answer` is called for each request, one at a time.
    pub fn start(answer: impl FnMut(&Seen) -> Reply + Send + 'static) -> Fake {
        Fake::serve(answer, |tcp| tcp)
    }

    /// The same with TLS; a connection whose handshake fails is no request.
    pub fn start_tls(config: ServerConfig, answer: impl FnMut(&Seen) -> Reply + Send + 'static) -> Fake {
        let config = Arc::new(config);
        Fake::serve(answer, move |stream| {
            let connection = ServerConnection::new(config.clone()).expect("a configuration that works");
            StreamOwned::new(connection, stream)
        })
    }

    fn serve<S: Read + Write>(
        answer: impl FnMut(&Seen) -> Reply + Send + 'static,
        wrap: impl Fn(TcpStream) -> S + Send + Sync + 'static,
    ) -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let (log, answer, wrap) = (seen.clone(), Arc::new(Mutex::new(answer)), Arc::new(wrap));
        std::thread::spawn(move || {
            for tcp in listener.incoming().map_while(Result::ok) {
                let (log, answer, wrap) = (log.clone(), answer.clone(), wrap.clone());
                std::thread::spawn(move || {
                    let mut stream = wrap(tcp.try_clone().expect("a second handle"));
                    // What can't be read is answered as web servers answer TLS on their plain port.
                    let request = read(&mut stream);
                    let reply = request.as_ref().map_or(Reply::new(400), |request| {
                        log.lock().expect("the log").push(request.clone());
                        answer.lock().expect("the closure")(request)
                    });
                    write(&mut stream, &reply, request.is_some_and(|request| request.line.starts_with("HEAD")));
                    let _ = tcp.shutdown(Shutdown::Both);
                });
            }
        });
        Fake { address, seen }
    }

    /// All requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("the log").clone()
    }

    /// How many requests so far begin with `start`.
    pub fn count(&self, start: &str) -> usize {
        self.seen().iter().filter(|seen| seen.line.starts_with(start)).count()
    }
}

fn read(stream: &mut impl Read) -> Option<Seen> {
    let mut reader = BufReader::new(stream);
    let mut seen = Seen { line: line(&mut reader)?, ..Seen::default() };
    seen.line.truncate(seen.line.rfind(' ')?);
    while let Some(line) = line(&mut reader).filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':')?;
        seen.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = seen.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let _ = reader.take(length).read_to_end(&mut seen.body);
    seen.whole = seen.body.len() as u64 == length;
    Some(seen)
}

fn line(reader: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    let size = reader.read_line(&mut line).ok()?;
    (size > 0).then(|| line.trim_end().to_owned())
}

fn write(stream: &mut (impl Read + Write), reply: &Reply, head: bool) {
    if reply.status == 0 {
        return;
    }
    let mut text = format!("HTTP/1.1 {} Whatever\r\nconnection: close\r\n", reply.status);
    for (name, value) in &reply.headers {
        text += &format!("{name}: {value}\r\n");
    }
    text += &format!("content-length: {}\r\n\r\n", reply.body.len());
    let body = if head { &[] } else { &reply.body[..reply.sent.min(reply.body.len())] };
    let _ = stream.write_all(&[text.as_bytes(), body].concat()).and_then(|()| stream.flush());
    match reply.then {
        Then::Close => {}
        // Ends when the client closes.
        Then::Silence => _ = stream.read(&mut [0]),
        Then::Drip => {
            let slowly = |byte| {
                std::thread::sleep(Duration::from_millis(2));
                stream.write_all(&[byte]).and_then(|()| stream.flush())
            };
            let _ = reply.body.iter().copied().try_for_each(slowly);
        }
    }
}
