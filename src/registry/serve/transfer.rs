//! Bytes between connections, which are asynchronous, and files, which block: a few pieces lie between the two.
//!
//! Knows nothing of what the bytes are.

use std::io::{self, Read};

use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::sync::OwnedMutexGuard;
use tokio::sync::mpsc::{self, Sender};

use super::refusal::{Code, Refusal};
use super::storage::{Incoming, StorageError};
use crate::reason::reason;

/// How much is read from a file at once.
const PIECE: usize = 256 * 1024;
/// How many pieces wait for the slower side.
const WAITING: usize = 4;
/// How much of a refused request is taken before it is answered.
const DRAINED: u64 = 64 << 20;

/// The body of an answer. Where reading fails, the connection breaks: no client takes what it has for the whole.
pub(super) fn send(reader: Box<dyn Read + Send>) -> Body {
    let (sender, mut receiver) = mpsc::channel(WAITING);
    tokio::task::spawn_blocking(move || pump(reader, &sender));
    Body::from_stream(stream::poll_fn(move |context| receiver.poll_recv(context)))
}

/// Ends quietly where nobody takes the pieces any more.
fn pump(mut reader: Box<dyn Read + Send>, sender: &Sender<io::Result<Bytes>>) {
    loop {
        let mut piece = Vec::with_capacity(PIECE);
        let part = match reader.by_ref().take(PIECE as u64).read_to_end(&mut piece) {
            Ok(0) => return,
            Ok(_) => Ok(Bytes::from(piece)),
            Err(error) => Err(error),
        };
        let failed = part.is_err();
        if sender.blocking_send(part).is_err() || failed {
            return;
        }
    }
}

/// An upload in the hands of one request.
pub(super) type Held = OwnedMutexGuard<Option<Box<dyn Incoming>>>;

/// Appends a request's body to an upload. What came before a break stays: a client can go on from there.
pub(super) async fn receive(body: &mut BodyDataStream, upload: Held) -> Result<Held, Refusal> {
    let (sender, receiver) = mpsc::channel(WAITING);
    let writing = tokio::task::spawn_blocking(move || write(receiver, upload));
    let broken = loop {
        match body.next().await {
            // Where writing failed, it says why below.
            Some(Ok(piece)) => {
                if sender.send(piece).await.is_err() {
                    break None;
                }
            }
            Some(Err(error)) => break Some(error),
            None => break None,
        }
    };
    drop(sender);
    let upload = writing.await??;
    match broken {
        None => Ok(upload),
        Some(error) => Err(Refusal::new(Code::BlobUploadInvalid, format!("the upload broke off: {error}"))),
    }
}

fn write(mut receiver: mpsc::Receiver<Bytes>, mut upload: Held) -> Result<Held, StorageError> {
    while let Some(piece) = receiver.blocking_recv() {
        if let Some(incoming) = &mut *upload {
            incoming.write_all(&piece).map_err(|error| StorageError(reason(&error)))?;
        }
    }
    Ok(upload)
}

/// Takes what is left of a refused request, so that a client that is still sending gets to read why.
pub(super) async fn drain(body: &mut BodyDataStream) {
    let mut taken = 0;
    while let Some(Ok(piece)) = body.next().await {
        taken += piece.len() as u64;
        if taken > DRAINED {
            return;
        }
    }
}
