//! The process between layerbuild and a command of the host: with it ends all that the command started.
//!
//! What loses its parent becomes its child (`PR_SET_CHILD_SUBREAPER`), so that nothing is lost sight of, not even what has
//! left the command's process group and session. Its standard input is a socket whose other end layerbuild holds. Closed,
//! be it for a time that is over or because layerbuild has ended in whatever way, all is asked to end, and killed when it
//! takes its time. Knows neither time limits nor what the command is.

use std::fs;
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitOptions, getpgid, getpid, kill_process, kill_process_group, set_child_subreaper, wait,
};

use super::task::Answer;

/// So long may a command, and what it started, take to end when asked to.
const GRACE: Duration = Duration::from_secs(2);
/// Between two looks at what is left.
const MOMENT: Duration = Duration::from_millis(10);

/// Whether all was asked to end.
static ASKED: AtomicBool = AtomicBool::new(false);

/// Runs a command to its end, and has all end that it left running; the whole process is for this.
pub(super) fn keep(mut command: Command) -> io::Result<Answer> {
    set_child_subreaper(Some(getpid()))?;
    // Not this process's group: it must outlive what the group is told.
    let child = command.process_group(0).stdin(Stdio::null()).spawn()?;
    let command = Pid::from_child(&child);
    thread::Builder::new().spawn(move || end_when_asked(command))?;
    let status = ended(command)?;
    see_off();
    Ok(answer(status))
}

/// Returns when the command has ended; what else ends meanwhile is an orphan of its tree.
fn ended(command: Pid) -> io::Result<ExitStatus> {
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid == command => return Ok(ExitStatus::from_raw(status.as_raw())),
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn answer(status: ExitStatus) -> Answer {
    match (status.code(), status.signal()) {
        (Some(0), _) => Answer::Done,
        (_, Some(signal)) => Answer::Failed { command: 0, status: format!("signal: {signal}") },
        (code, None) => Answer::Failed { command: 0, status: format!("exit status: {}", code.unwrap_or_default()) },
    }
}

/// Waits for what the command left running, and kills it, unless all was asked to end and has some time left. What even
/// that does not end, as it belongs to somebody else, is let be.
fn see_off() {
    let last = Instant::now() + 2 * GRACE;
    while Instant::now() < last {
        match wait(WaitOptions::NOHANG) {
            Ok(Some(_)) => continue, // what it had started is this process's now
            Err(Errno::CHILD) => return,
            _ if ASKED.load(Ordering::Acquire) => {}
            _ => kill_children(),
        }
        thread::sleep(MOMENT);
    }
}

/// Nothing is ever sent: reading ends when the other end is closed.
fn end_when_asked(command: Pid) {
    while matches!(rustix::io::read(io::stdin().as_fd(), &mut [0]), Err(Errno::INTR)) {}
    ASKED.store(true, Ordering::Release);
    let _ = kill_process_group(command, Signal::TERM);
    for child in children().filter(|child| getpgid(Some(*child)) != Ok(command)) {
        let _ = kill_process(child, Signal::TERM);
    }
    thread::sleep(GRACE);
    loop {
        kill_children();
        thread::sleep(MOMENT);
    }
}

/// No other process can have got the number of one of them: they are waited for here alone, and later.
fn kill_children() {
    for child in children() {
        let _ = kill_process(child, Signal::KILL);
    }
}

/// This process's children, as /proc has them: a kernel may lack the list of just these.
fn children() -> impl Iterator<Item = Pid> {
    let ours = getpid().as_raw_nonzero().to_string();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(move |entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        (parent(&stat)? == ours).then(|| Pid::from_raw(pid)).flatten()
    })
}

/// The fourth field (proc(5)); the second is a name in parentheses, which may hold anything.
fn parent(stat: &str) -> Option<&str> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_can_not_name_itself_so_that_its_parent_is_another() {
        assert_eq!(parent("12 (sh) S 7 12 12 0"), Some("7"));
        assert_eq!(parent("12 (a) S 1 (b) R 7 12 12 0"), Some("7"));
        assert_eq!(parent("12"), None);
    }
}
