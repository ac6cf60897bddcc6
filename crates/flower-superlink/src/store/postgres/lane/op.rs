//! Operations: what is done in a transaction of the task that writes.

use std::marker::PhantomData;

use async_trait::async_trait;
use futures::future::BoxFuture;

use super::super::unit::{Tx, Unit, Wants};
use crate::link::state::StateResult;

/// Something to be done in a transaction, perhaps several times before one of them is committed.
#[async_trait]
pub(in super::super) trait Op: Send + Sync + 'static {
    /// Its answer.
    type Out: Send + 'static;

    /// What the operation will read.
    fn wants(&self, _wants: &mut Wants) {}

    /// Does it. A refusal comes before the first change.
    async fn apply(&self, unit: &mut Unit<'_>) -> StateResult<Self::Out>;
}

/// An operation that reads and writes rows by itself.
pub(in super::super) struct Direct<F, T>(F, PhantomData<fn() -> T>);

/// Makes an operation of a function, for `direct!`.
pub(in super::super) fn operation<F, T>(work: F) -> Direct<F, T>
where
    F: for<'t> Fn(&'t Tx<'t>) -> BoxFuture<'t, StateResult<T>> + Send + Sync + 'static,
{
    Direct(work, PhantomData)
}

#[async_trait]
impl<F, T> Op for Direct<F, T>
where
    F: for<'t> Fn(&'t Tx<'t>) -> BoxFuture<'t, StateResult<T>> + Send + Sync + 'static,
    T: Send + 'static,
{
    type Out = T;

    async fn apply(&self, unit: &mut Unit<'_>) -> StateResult<T> {
        let tx = unit.direct().await?;
        (self.0)(tx).await
    }
}

/// An operation that reads and writes rows by itself: `direct!([captured] tx => work(tx, &captured))`.
/// What is captured is cloned for each attempt.
macro_rules! direct {
    ([$($kept:ident),*] $tx:ident => $work:expr) => {
        $crate::store::postgres::lane::operation(move |$tx| {
            $(let $kept = Clone::clone(&$kept);)*
            Box::pin(async move { $work.await })
        })
    };
}

pub(in super::super) use direct;
