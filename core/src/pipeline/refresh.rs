//! Asking an upstream anew: what was kept of a package's indexes, and that things were absent, is forgotten.

use super::Keeper;
use super::read::{ReadOptions, Reading};
use super::remote::Copies;
use crate::access::{Action, Principal};
use crate::artifact::PackageName;
use crate::documents::Owner;
use crate::error::{Failure, codes};
use crate::format::FormatRequest;
use crate::repository::RepositoryAddress;

impl Keeper {
    /// Lets the next question about a package go to the upstream, whatever was kept. Files that are stored stay.
    ///
    /// # Errors
    /// Who may not publish there; `invalid_field` where there is no upstream.
    pub async fn refresh(
        &self,
        who: &Principal,
        address: &RepositoryAddress,
        package: &PackageName,
    ) -> Result<(), Failure> {
        let (repository, permit) = self.enter_api(who, address, Action::Publish).await?;
        let Some(remote) = repository.source.remote() else {
            let detail = format!("\"{address}\" is a {} repository; it has no upstream", repository.kind().as_str());
            return Err(Failure::new(&codes::INVALID_FIELD, detail).field("name"));
        };
        let handler = self.handler(address)?;
        let request = FormatRequest { verb: "GET", path: "", query: "", headers: &[], repository_url: "" };
        let reading = Reading { keeper: self, who, handler, request, options: ReadOptions::default() };
        let copies = Copies::new(&reading, &repository, remote, permit);
        for path in copies.kept_names(package)? {
            self.ports().documents.forget(&Owner::Repository(repository.id), Some(&path)).await?;
        }
        self.fetches.forget_absences(repository.id);
        self.forget_answers(repository.id);
        Ok(())
    }
}
