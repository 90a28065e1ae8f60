//! Whether a server of PostgreSQL can be had: waited for at start, and asked beside a pool that has nothing to give.
//!
//! | it says | start |
//! |---|---|
//! | nothing, or that it starts, stops or is full | tries again for [`REACH`] |
//! | 28000, 28P01: not this user, not this password | is refused |
//! | 3D000: no such database | is refused, with the command that makes it |
//!
//! What only a person can put right is not waited for.

use std::time::{Duration, Instant};

use sea_orm::sqlx::postgres::PgConnection;
use sea_orm::sqlx::{self, Connection};

use super::{PATIENCE, Server, broken};
use crate::store::OpenError;

/// How long a start waits for the server.
const REACH: Duration = Duration::from_secs(30);
/// Time between two tries, each of which is told.
const PAUSE: Duration = Duration::from_secs(2);
/// How long a look beside the pool may take.
const LOOK: Duration = Duration::from_millis(500);

/// What a try to connect says.
enum Refused {
    /// It may pass.
    NotNow(String),
    /// It answers, and has no room for another connection.
    Full(String),
    Credentials(String),
    NoDatabase,
    Other(sqlx::Error),
}

impl Server {
    /// Waits until the server takes a connection.
    pub(in crate::store) async fn reach(&self) -> Result<(), OpenError> {
        let began = Instant::now();
        loop {
            let why = match self.connects(PATIENCE).await {
                Ok(()) => return Ok(()),
                Err(Refused::NotNow(why) | Refused::Full(why)) => why,
                Err(Refused::Credentials(why)) => {
                    let user = self.options.get_username().to_owned();
                    return Err(OpenError::Credentials { at: self.at(), user, why });
                }
                Err(Refused::NoDatabase) => {
                    let (name, make) = (self.name().to_owned(), self.createdb());
                    return Err(OpenError::NoDatabase { at: self.at(), name, make });
                }
                Err(Refused::Other(error)) => return Err(broken(error)),
            };
            let Some(left) = REACH.checked_sub(began.elapsed() + PAUSE) else {
                return Err(OpenError::Unreachable { at: self.at(), why });
            };
            let (at, left_s) = (self.at(), left.as_secs());
            tracing::warn!(error = why, "the database at {at} cannot be reached yet; tried for another {left_s} s");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Whether a connection can be had at this moment. A server that has no room for another one answers.
    pub(in crate::store) async fn takes_connections(&self) -> bool {
        match self.connects(LOOK).await {
            Ok(()) | Err(Refused::Full(_) | Refused::Other(_)) => true,
            Err(Refused::NotNow(_) | Refused::Credentials(_) | Refused::NoDatabase) => false,
        }
    }

    async fn connects(&self, within: Duration) -> Result<(), Refused> {
        let connect = async {
            let connection = PgConnection::connect_with(&self.options).await?;
            connection.close().await
        };
        match tokio::time::timeout(within, connect).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(meaning(error)),
            Err(_) => Err(Refused::NotNow(format!("no answer within {within:?}"))),
        }
    }

    /// The machine or the folder of its socket.
    fn at(&self) -> String {
        match self.options.get_socket() {
            Some(socket) => socket.display().to_string(),
            None => format!("{}:{}", self.options.get_host(), self.options.get_port()),
        }
    }

    fn name(&self) -> &str {
        self.options.get_database().unwrap_or_else(|| self.options.get_username())
    }

    fn createdb(&self) -> String {
        let host = match self.options.get_socket() {
            Some(socket) => format!("--host={}", socket.display()),
            None => format!("--host={} --port={}", self.options.get_host(), self.options.get_port()),
        };
        let (user, name) = (self.options.get_username(), self.name());
        format!("createdb {host} --owner={user} --template=template0 --encoding=UTF8 --locale=C {name}")
    }
}

fn meaning(error: sqlx::Error) -> Refused {
    let sqlx::Error::Database(said) = &error else {
        return match error {
            sqlx::Error::Io(error) => Refused::NotNow(error.to_string()),
            other => Refused::Other(other),
        };
    };
    match said.code().as_deref() {
        Some("28000" | "28P01") => Refused::Credentials(said.message().to_owned()),
        Some("3D000") => Refused::NoDatabase,
        Some(code @ "53300") => Refused::Full(format!("{code}: {}", said.message())),
        Some(code) if code.starts_with("08") || code.starts_with("57P") => {
            Refused::NotNow(format!("{code}: {}", said.message()))
        }
        _ => Refused::Other(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_to_make_the_database_is_told_how() {
        let server = |url: &str| Server::parse(url).expect("an address");
        let far = server("postgres://ann:secret@db.example:5433/keeper");
        assert_eq!(far.at(), "db.example:5433");
        let line = "createdb --host=db.example --port=5433 --owner=ann --template=template0 --encoding=UTF8 \
                    --locale=C keeper";
        assert_eq!(far.createdb(), line);
        let near = server("postgres:///keeper?host=/run/postgresql&user=ann");
        assert_eq!((near.at().as_str(), near.name()), ("/run/postgresql", "keeper"));
    }
}
