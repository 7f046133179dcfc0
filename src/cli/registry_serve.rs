//! `registry serve`: the embedded registry over this user's store, until it is interrupted.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::FutureExt as _;
use serde_json::{Value, json};

use super::context::Context;
use super::error::CliError;
use super::global::Verbosity;
use super::project::open_store;
use crate::effect::serve::ServedStore;
use crate::registry::serve::{Answered, Log, ServeError, Server};
use crate::store::Store;
use crate::ui::stream::Stream;
use crate::ui::style::Style;
use crate::ui::text::warning;

/// Serve a registry for this machine alone, over the store; ends when interrupted
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// A loopback address and port; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:5000", value_parser = address)]
    pub listen: SocketAddr,
}

/// `localhost` stands for 127.0.0.1.
fn address(text: &str) -> Result<SocketAddr, String> {
    let plain = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    let wrong = |_| "write an address and a port, such as 127.0.0.1:5001 or [::1]:5000".to_owned();
    plain.as_deref().unwrap_or(text).parse().map_err(wrong)
}

/// Serves until the first interrupt, which is how it ends well; a second one ends it at once.
pub fn run(args: &Args, cx: &mut Context) -> Result<(), CliError> {
    let server = Server::bind(args.listen).map_err(|error| refused(error, args.listen))?;
    let address = server.address();
    if cx.globals.dry_run {
        return Ok(writeln!(cx.out, "LISTEN {address}")?);
    }
    let store = Arc::new(open_store(cx)?);
    let interrupted = cx.interrupts.next();
    announce(address, cx)?;
    let stop = interrupted.map(drop);
    let served = server.run(Arc::new(ServedStore::new(store.clone())), log(cx, &store), stop);
    Teller::new(cx).damages(&store);
    served.map_err(|error| refused(error, address))
}

fn refused(error: ServeError, address: SocketAddr) -> CliError {
    match &error {
        ServeError::NotLoopback(_) => CliError::usage(error.to_string()),
        ServeError::Listen { .. } => {
            let port = address.port().saturating_add(1);
            let hint = format!(
                "where another registry has it: `--listen 127.0.0.1:{port}`, and `--registry localhost:{port}` to push there"
            );
            CliError::environment(error.to_string()).hint(hint)
        }
    }
}

/// The address on stdout, for programs that wait for it; the rest for people.
fn announce(address: SocketAddr, cx: &mut Context) -> Result<(), CliError> {
    writeln!(cx.out, "{address}")?;
    cx.out.flush()?;
    if cx.globals.verbosity > Verbosity::Quiet && !cx.globals.json {
        let (port, store) = (address.port(), &cx.globals.cache_dir);
        cx.err.line(&format!(
            "a registry for this machine alone listens on {address}: no passwords, no TLS, other machines can't reach it\n\
             images are pushed to localhost:{port} and kept in the store, {store}; Ctrl-C stops it"
        ));
    }
    Ok(())
}

/// Failures of our own and damage in the store always; with `--verbose` every request.
fn log(cx: &Context, store: &Arc<Store>) -> Log {
    let (teller, store) = (Teller::new(cx), store.clone());
    let all = cx.globals.verbosity == Verbosity::Verbose;
    Arc::new(move |answered| {
        teller.damages(&store);
        if all || answered.status >= 500 {
            teller.request(answered);
        }
    })
}

/// Tells people or programs.
struct Teller {
    err: Stream,
    style: Style,
    json: bool,
}

impl Teller {
    fn new(cx: &Context) -> Teller {
        Teller { err: cx.err.clone(), style: cx.err_style(), json: cx.globals.json }
    }

    fn damages(&self, store: &Store) {
        for damage in store.take_warnings() {
            let message = damage.to_string();
            self.tell(json!({"event": "warning", "message": message}), &warning(&message, self.style));
        }
    }

    /// `PUT /v2/a/manifests/1 201`, and why where it was refused.
    fn request(&self, answered: &Answered) {
        let Answered { method, path, status, why } = answered;
        let because = why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        let object = json!({"event": "request", "method": method, "path": path, "status": status, "message": why});
        self.tell(object, &format!("{method} {path} {status}{because}"));
    }

    fn tell(&self, object: Value, text: &str) {
        if self.json { self.err.line(&object.to_string()) } else { self.err.line(text) }
    }
}
