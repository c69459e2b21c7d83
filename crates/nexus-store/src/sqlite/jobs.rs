//! A job as the threads see it: something to call once and to answer once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use tokio::sync::oneshot;

use crate::{StoreError, Tx};

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Called {
    /// It answered `Ok`.
    Kept,
    /// It answered `Err`; its changes are to be undone.
    Refused,
    /// It awaited something foreign.
    Awaited,
    /// It panicked.
    Panicked,
}

/// A closure and its caller, with their types erased.
pub(super) trait Job: Send {
    /// Runs the closure. Called once, and never after an answer.
    fn call(&mut self, tx: &mut Tx<'_>) -> Called;

    /// Answers the caller: with `verdict`, or else with what the closure itself answered.
    fn answer(self: Box<Self>, verdict: Option<StoreError>);

    /// The closure's path in the source, for warnings.
    fn name(&self) -> &'static str;
}

struct Work<T, E, F> {
    job: Option<F>,
    result: Option<Result<T, E>>,
    caller: oneshot::Sender<Result<T, E>>,
}

/// Packs a closure with the way back to its caller.
pub(super) fn pack<T, E, F>(job: F) -> (Box<dyn Job>, oneshot::Receiver<Result<T, E>>)
where
    F: for<'a, 'c> AsyncFnOnce(&'a mut Tx<'c>) -> Result<T, E> + Send + 'static,
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    let (caller, answer) = oneshot::channel();
    (
        Box::new(Work {
            job: Some(job),
            result: None,
            caller,
        }),
        answer,
    )
}

impl<T, E, F> Job for Work<T, E, F>
where
    F: for<'a, 'c> AsyncFnOnce(&'a mut Tx<'c>) -> Result<T, E> + Send,
    T: Send,
    E: From<StoreError> + Send,
{
    fn call(&mut self, tx: &mut Tx<'_>) -> Called {
        let job = self.job.take().expect("a job is called once");
        // Whatever the closure left half done is undone with its savepoint, and nothing else of it is shared.
        let polled = catch_unwind(AssertUnwindSafe(|| {
            let future = pin!(job(tx));
            future.poll(&mut Context::from_waker(Waker::noop()))
        }));
        match polled {
            Err(_) => Called::Panicked,
            Ok(Poll::Pending) => Called::Awaited,
            Ok(Poll::Ready(result)) => {
                let called = if result.is_ok() { Called::Kept } else { Called::Refused };
                self.result = Some(result);
                called
            }
        }
    }

    fn answer(self: Box<Self>, verdict: Option<StoreError>) {
        let result = match verdict {
            Some(error) => Err(error.into()),
            None => self.result.expect("a job without a verdict has answered"),
        };
        // The caller may have gone away; its job counts all the same.
        drop(self.caller.send(result));
    }

    fn name(&self) -> &'static str {
        std::any::type_name::<F>()
    }
}
