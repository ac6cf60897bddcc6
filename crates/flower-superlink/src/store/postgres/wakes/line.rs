//! The connections by which a SuperLink tells and hears: LISTEN on one, one NOTIFY under way on the
//! other, and signs of life that must come back.
//!
//! Only simple queries are sent: they go through each pooler. What a pooler in transaction mode does
//! not do is deliver what was notified on another connection, and that is found out before the line
//! counts as open.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::future::ready;
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt};
use thiserror::Error;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_postgres::{AsyncMessage, Client, SimpleQueryMessage};

use super::super::connect::{Connector, Messages};
use super::Shared;

/// Between two signs of life. Two that do not come back end the line.
const SIGN: Duration = Duration::from_secs(3);
/// How long a connection may take to be made, a statement to be answered, and the first sign of life
/// to come back.
const ANSWER: Duration = Duration::from_secs(6);

/// News needs no sync to disk: a lost wake-up is made up for.
const SESSION: &str = "SET synchronous_commit = 'off'; SET statement_timeout = '5s'";
/// Each schema has its channel: a name, and a number as hexadecimal digits.
const CHANNEL: &str =
    "SELECT 'flwr_' || to_hex(hashtextextended('flower-superlink ' || current_schema(), 0))";

/// Why nothing can be heard.
#[derive(Debug, Error)]
pub(in super::super) enum LineError {
    /// No connection, or a connection that was lost.
    #[error("the connection for LISTEN and NOTIFY failed")]
    Lost(#[from] tokio_postgres::Error),
    /// The server ended the connection, or gave no answer.
    #[error("the connection for LISTEN and NOTIFY does not answer")]
    Silent,
    /// Own signs of life do not come back.
    #[error("LISTEN is accepted, and what is notified does not come back")]
    Deaf,
}

/// What comes in on both connections. It ends with an error.
type Incoming = BoxStream<'static, Result<AsyncMessage, LineError>>;

/// An open line.
pub(super) struct Line {
    /// Tells.
    mouth: Client,
    /// The connection that listens lives as long.
    _ear: Client,
    incoming: Incoming,
    channel: String,
}

impl Line {
    /// Connects, listens, and waits for an own sign of life.
    pub(super) async fn open(connector: &Connector, shared: &Shared) -> Result<Self, LineError> {
        let (ear, mut heard) = connect(connector).await?;
        let (mouth, mut told) = connect(connector).await?;
        let channel = within_answer(&mut heard, shared, listen(&ear)).await?;
        within_answer(&mut told, shared, set(&mouth)).await?;
        let mut line = Self {
            mouth,
            _ear: ear,
            // Behind a pooler, the connection that tells may get what the other should hear.
            incoming: stream::select(heard, told.filter(|came| ready(came.is_err()))).boxed(),
            channel,
        };
        line.prove(shared).await?;
        Ok(line)
    }

    async fn prove(&mut self, shared: &Shared) -> Result<(), LineError> {
        let number = shared.returned.load(Ordering::Acquire) + 1;
        shared.news.lock().give_sign(number);
        let told = tell(&self.mouth, &self.channel, shared);
        drive(&mut self.incoming, shared, told).await?;
        let returns = async {
            loop {
                let returned = shared.has_returned.notified();
                if shared.returned.load(Ordering::Acquire) >= number {
                    return Ok(());
                }
                returned.await;
            }
        };
        let heard = drive(&mut self.incoming, shared, returns);
        timeout(ANSWER, heard).await.map_err(|_| LineError::Deaf)?
    }

    /// Tells and hears until that does not work any more. Gives the reason.
    pub(super) async fn serve(&mut self, shared: &Shared) -> LineError {
        let (mouth, channel) = (&self.mouth, &self.channel);
        let talking = async {
            let mut asked = shared.returned.load(Ordering::Acquire);
            let mut signs = interval(SIGN);
            signs.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    () = shared.has_news.notified() => {}
                    _ = signs.tick() => {
                        if asked >= shared.returned.load(Ordering::Acquire) + 2 {
                            return Err(LineError::Deaf);
                        }
                        asked += 1;
                        shared.news.lock().give_sign(asked);
                    }
                }
                tell(mouth, channel, shared).await?;
            }
        };
        let ended: Result<std::convert::Infallible, LineError> =
            drive(&mut self.incoming, shared, talking).await;
        match ended {
            Ok(never) => match never {},
            Err(error) => error,
        }
    }
}

async fn connect(connector: &Connector) -> Result<(Client, Incoming), LineError> {
    let connected = timeout(ANSWER, connector.direct()).await;
    let (client, messages) = connected.map_err(|_| LineError::Silent)??;
    Ok((client, until_it_ends(messages).boxed()))
}

/// The messages, and at their end an error.
fn until_it_ends(messages: Messages) -> impl Stream<Item = Result<AsyncMessage, LineError>> {
    let messages = messages.map(|came| came.map_err(LineError::from));
    messages.chain(stream::once(ready(Err(LineError::Silent))))
}

async fn set(client: &Client) -> Result<(), LineError> {
    Ok(client.batch_execute(SESSION).await?)
}

/// Begins to listen. Gives the channel.
async fn listen(client: &Client) -> Result<String, LineError> {
    set(client).await?;
    let rows = client.simple_query(CHANNEL).await?;
    let channel = rows.iter().find_map(|row| match row {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    let channel = channel.ok_or(LineError::Silent)?.to_owned();
    client.batch_execute(&format!("LISTEN {channel}")).await?;
    Ok(channel)
}

/// Tells all news, one NOTIFY after the other. What comes up meanwhile goes with the next.
async fn tell(client: &Client, channel: &str, shared: &Shared) -> Result<(), LineError> {
    loop {
        let payload = {
            let mut news = shared.news.lock();
            if news.is_empty() {
                break;
            }
            news.take(shared.link)
        };
        // Neither can hold a quote: they are letters, digits and separators.
        let sql = format!("NOTIFY {channel}, '{payload}'");
        let told = timeout(ANSWER, client.batch_execute(&sql)).await;
        told.map_err(|_| LineError::Silent)??;
    }
    shared.is_told.notify_waiters();
    Ok(())
}

async fn within_answer<T>(
    incoming: &mut Incoming,
    shared: &Shared,
    work: impl Future<Output = Result<T, LineError>>,
) -> Result<T, LineError> {
    let done = timeout(ANSWER, drive(incoming, shared, work)).await;
    done.map_err(|_| LineError::Silent)?
}

/// Does some work on a connection, and takes in what is heard meanwhile.
async fn drive<T>(
    incoming: &mut Incoming,
    shared: &Shared,
    work: impl Future<Output = Result<T, LineError>>,
) -> Result<T, LineError> {
    let read = async {
        loop {
            match incoming.next().await {
                Some(Ok(AsyncMessage::Notification(heard))) => shared.hear(heard.payload()),
                Some(Ok(_)) => {}
                Some(Err(error)) => return error,
                None => return LineError::Silent,
            }
        }
    };
    tokio::select! {
        done = work => done,
        ended = read => Err(ended),
    }
}
