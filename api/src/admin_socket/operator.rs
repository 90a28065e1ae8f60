//! Answers the socket's requests with what the server has open.

use async_trait::async_trait;

use super::administration::Administration;
use super::{AdminHandler, Lines, Reply, Request};
use crate::import::Importer;
use crate::jobs::upkeep::Upkeep;

/// Whoever owns the data folder, at work on a running server.
pub struct Operator {
    /// Users and tokens.
    pub administration: Administration,
    /// Collector and verifier.
    pub upkeep: Upkeep,
    /// Takes versions over.
    pub importer: Importer,
}

#[async_trait]
impl AdminHandler for Operator {
    async fn answer(&self, request: Request, lines: Lines) -> Reply {
        match request {
            Request::Gc { confirm } => {
                let ran = lines.while_working(self.upkeep.gc(confirm, &|| lines.is_read())).await;
                ran.map_or_else(Reply::refused, Reply::Collected)
            }
            Request::Verify(scope) => {
                let ran = lines.while_working(self.upkeep.verify(scope, &lines)).await;
                ran.map_or_else(Reply::refused, Reply::Verified)
            }
            Request::Backup { to, base } => {
                let ran = lines.while_working(self.upkeep.backup(&to, base.as_deref())).await;
                ran.map_or_else(Reply::refused, Reply::BackedUp)
            }
            Request::Journal { file } => {
                let ran = lines.while_working(self.upkeep.journal(&file)).await;
                ran.map_or_else(Reply::refused, Reply::Journaled)
            }
            Request::Import(order) => {
                let ran = lines.while_working(self.importer.run(&order, &lines)).await;
                ran.map_or_else(Reply::refused, Reply::Imported)
            }
            other => self.administration.answer(&other).await,
        }
    }
}
