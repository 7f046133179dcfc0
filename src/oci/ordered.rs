//! Runs jobs on a pool and takes their results in the jobs' order, with bounded memory.
//!
//! Knows nothing of what the jobs do. May be called from any thread, also from one of the pool's own, and from several at
//! once: whoever waits on a thread of the pool does waiting jobs itself.

use std::collections::VecDeque;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use rayon::ThreadPool;

/// A job and what it holds of the window while it and its result are in flight.
pub struct Weighed<J> {
    /// The job.
    pub job: J,
    /// In the window's unit (bytes, here).
    pub weight: u64,
}

/// Does `work` on each job on the pool, and `take`s each result in the jobs' order on the calling thread.
///
/// Jobs are started while the weights in flight stay within `window`; one job always is. The first error of `take` ends
/// it: jobs not yet begun are dropped. A panic in `work` goes on in the caller.
pub fn run<J: Send, T: Send, E>(
    pool: &ThreadPool,
    window: u64,
    jobs: impl Iterator<Item = Weighed<J>>,
    work: impl Fn(J) -> T + Sync,
    mut take: impl FnMut(T) -> Result<(), E>,
) -> Result<(), E> {
    let queue = Queue::new(&work, pool.current_thread_index().is_some());
    pool.in_place_scope(|scope| {
        let mut flying = VecDeque::new();
        let mut weight = 0;
        let mut jobs = jobs.peekable();
        loop {
            let fits = jobs.peek().is_some_and(|next| flying.is_empty() || weight + next.weight <= window);
            if let Some(next) = fits.then(|| jobs.next()).flatten() {
                weight += next.weight;
                flying.push_back((next.weight, queue.put(next.job)));
                scope.spawn(|_| queue.work_one());
                continue;
            }
            let Some((freed, result)) = flying.pop_front() else { return Ok(()) };
            // No result means that a worker panicked, which the scope's end passes on.
            let Some(result) = queue.wait(&result) else { return Ok(()) };
            weight -= freed;
            if let Err(error) = take(result) {
                queue.clear();
                return Err(error);
            }
        }
    })
}

/// Jobs that no thread has begun, each with the place for its result.
struct Queue<'w, J, T, W> {
    put: Sender<Waiting<J, T>>,
    next: Receiver<Waiting<J, T>>,
    work: &'w W,
    inside: bool,
}

type Waiting<J, T> = (J, Sender<T>);

impl<'w, J, T, W: Fn(J) -> T> Queue<'w, J, T, W> {
    fn new(work: &'w W, inside: bool) -> Self {
        let (put, next) = unbounded();
        Queue { put, next, work, inside }
    }

    fn put(&self, job: J) -> Receiver<T> {
        let (result, receiver) = bounded(1);
        // Can't fail: the receiving end is in `self`.
        let _ = self.put.send((job, result));
        receiver
    }

    /// Does the job that has waited longest, if one waits.
    fn work_one(&self) {
        if let Ok(waiting) = self.next.try_recv() {
            self.work_on(waiting);
        }
    }

    fn work_on(&self, (job, result): Waiting<J, T>) {
        // Nobody waits for it any more after an error.
        let _ = result.send((self.work)(job));
    }

    /// `None` when the worker panicked. On a thread of the pool, waiting jobs come first: the pool may have no other
    /// thread to do them.
    fn wait(&self, result: &Receiver<T>) -> Option<T> {
        if self.inside {
            while result.is_empty() {
                let Ok(waiting) = self.next.try_recv() else { break };
                self.work_on(waiting);
            }
        }
        result.recv().ok()
    }

    fn clear(&self) {
        while self.next.try_recv().is_ok() {}
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    fn pool(threads: usize) -> ThreadPool {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
    }

    fn doubled(pool: &ThreadPool, count: u64) -> Vec<u64> {
        let jobs = (0..count).map(|job| Weighed { job, weight: 1 });
        let mut taken = Vec::new();
        run(
            pool,
            8,
            jobs,
            |job| job * 2,
            |result| {
                taken.push(result);
                Ok::<_, ()>(())
            },
        )
        .unwrap();
        taken
    }

    #[test]
    fn results_come_in_the_jobs_order() {
        let expected: Vec<u64> = (0..1000).map(|job| job * 2).collect();
        for threads in [1, 4] {
            assert_eq!(doubled(&pool(threads), 1000), expected);
        }
    }

    #[test]
    fn callers_on_the_pools_own_threads_do_not_wait_for_each_other() {
        let pool = pool(2);
        pool.scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|_| assert_eq!(doubled(&pool, 200).len(), 200));
            }
        });
    }

    #[test]
    fn no_more_than_the_window_is_in_flight() {
        let (flying, most) = (AtomicU64::new(0), AtomicU64::new(0));
        let jobs = (1..200).map(|job| Weighed { job: job % 7 + 1, weight: job % 7 + 1 });
        let work = |weight| {
            let now = flying.fetch_add(weight, Ordering::SeqCst) + weight;
            most.fetch_max(now, Ordering::SeqCst);
            weight
        };
        run(&pool(4), 10, jobs, work, |weight| {
            flying.fetch_sub(weight, Ordering::SeqCst);
            Ok::<_, ()>(())
        })
        .unwrap();
        assert!(most.into_inner() <= 10);
    }

    #[test]
    fn a_job_heavier_than_the_window_runs_alone() {
        let jobs = [1, 100, 1].into_iter().map(|weight| Weighed { job: weight, weight });
        let mut sum = 0;
        run(
            &pool(2),
            10,
            jobs,
            |job| job,
            |weight| {
                sum += weight;
                Ok::<_, ()>(())
            },
        )
        .unwrap();
        assert_eq!(sum, 102);
    }

    #[test]
    fn the_first_error_ends_it() {
        let jobs = (0..1000).map(|job| Weighed { job, weight: 1 });
        let mut taken = 0;
        let result = run(
            &pool(2),
            4,
            jobs,
            |job| job,
            |job| {
                taken += 1;
                if job == 10 { Err("ten") } else { Ok(()) }
            },
        );
        assert_eq!((result, taken), (Err("ten"), 11));
    }

    #[test]
    #[should_panic(expected = "a bug in a job")]
    fn a_panic_goes_on_in_the_caller() {
        let jobs = (0..10).map(|job| Weighed { job, weight: 1 });
        let _ = run(&pool(2), 4, jobs, |job| assert!(job != 5, "a bug in a job"), |()| Ok::<_, ()>(()));
    }
}
