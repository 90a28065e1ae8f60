//! The verbs of the command line, each with its exit code.

use std::sync::Arc;

use crate::admin_socket::administration::Administration;
use crate::admin_socket::{Reply, Request};
use crate::bootstrap::passwords::Passwords;
use crate::cli::{self, Exit, Invocation, Verb, output};
use crate::clock::Clock;
use crate::config::{Config, Loaded, environment};
use crate::datadir::{DataDir, private_files};
use crate::http::api::openapi;
use crate::reload::Reload;
use crate::run::{self, StartError};
use crate::store::Store;
use crate::{error_page, logging};

/// Runs what the command line asks for.
#[must_use]
pub fn program() -> Exit {
    private_files();
    let Invocation { verb, file, overrides } = cli::parse();
    let (again, again_file) = (overrides.clone(), file.clone());
    match &verb {
        Verb::OpenApi => return print(&openapi()),
        Verb::ErrorPage => return print(&error_page::markdown()),
        _ => {}
    }
    let loaded = Config::load(&overrides, environment(), file.as_deref());
    let quiet = match &verb {
        Verb::Config { check } => return cli::config::run(&loaded, *check),
        Verb::Administer { .. }
        | Verb::Gc { .. }
        | Verb::Verify(_)
        | Verb::Backup(_)
        | Verb::Restore { .. }
        | Verb::Import { .. } => true,
        _ => false,
    };
    let Loaded { config, warnings, effective } = match loaded {
        Ok(loaded) => loaded,
        Err(faults) => return cli::config::refuse(&faults),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output::stderr(&format!("cannot start the runtime: {error}"));
            return Exit::Failed;
        }
    };
    if !quiet {
        logging::start(&config);
        for warning in &warnings {
            tracing::warn!("{warning}");
        }
    }
    let exit = runtime.block_on(async {
        match verb {
            Verb::Serve { reset_secrets } => {
                let load = move || Config::load(&again, environment(), again_file.as_deref());
                serve(config, reset_secrets, Reload::new(effective, load)).await
            }
            Verb::Migrate { check } => migrate(&config, check).await,
            Verb::Administer { request, quiet } => {
                let data_dir = config.data_dir.clone();
                let offline = |request| offline(request, config);
                cli::token::run(request, quiet, &data_dir, offline).await
            }
            Verb::Gc { confirm, json } => cli::upkeep::gc(&config, confirm, json).await,
            Verb::Verify(asked) => cli::verify::verify(&config, asked).await,
            Verb::Backup(kept) => cli::backup::backup(&config, kept).await,
            Verb::Restore { from, reserve_from } => cli::backup::restore(&config, from, reserve_from).await,
            Verb::Import { order, json } => cli::import::import(&config, *order, json).await,
            Verb::Config { .. } | Verb::OpenApi | Verb::ErrorPage => Exit::Fine,
        }
    });
    // A blocking call that hangs (a dead disk) must not keep a stopped server from ending.
    runtime.shutdown_timeout(std::time::Duration::from_secs(5));
    exit
}

fn print(text: &str) -> Exit {
    match output::stdout(text) {
        Ok(()) => Exit::Fine,
        Err(_) => Exit::Failed,
    }
}

async fn serve(config: Config, reset_secrets: bool, reload: Reload) -> Exit {
    match run::start(config, reset_secrets, reload).await {
        Ok(()) => Exit::Fine,
        Err(error) => refuse(&error),
    }
}

fn refuse(error: &StartError) -> Exit {
    let what = if matches!(error, StartError::Unfinished) { "did not end in order" } else { "cannot start" };
    output::stderr(&format!("artifact-keeper {what}: {error}"));
    error.exit()
}

async fn migrate(config: &Config, check: bool) -> Exit {
    if check {
        return match Store::pending(&config.database.address()).await {
            Ok(pending) if pending.is_empty() => print("the database is up to date\n"),
            Ok(pending) => {
                let _printed = print(&format!("to be done: {}\n", pending.join(", ")));
                Exit::Failed
            }
            Err(error) => refuse(&error.into()),
        };
    }
    match opened(config).await {
        Ok((_data, store)) => {
            store.close().await;
            print("the database is up to date\n")
        }
        Err(error) => refuse(&error),
    }
}

async fn opened(config: &Config) -> Result<(DataDir, Store), StartError> {
    let data = DataDir::open(&config.data_dir, config.storage.folder(), config.allow_network_disk)?;
    let store = run::open_store(config, &data).await?;
    Ok((data, store))
}

/// Does what is asked in the data folder itself; `None` when a server holds it.
async fn offline(request: Arc<Request>, config: Config) -> Result<Option<Reply>, (Exit, String)> {
    let data = match DataDir::open(&config.data_dir, config.storage.folder(), config.allow_network_disk) {
        Ok(data) => data,
        Err(error) if error.is_in_use() => return Ok(None),
        Err(error) => return Err((Exit::from(&error), error.to_string())),
    };
    if config.database.is_missing() {
        let text = format!(
            "there is no server's data in {}; start the server once, or name its folder with --data-dir",
            config.data_dir.display()
        );
        return Err((Exit::Usage, text));
    }
    let store = run::open_store(&config, &data).await.map_err(|error| {
        let error = StartError::from(error);
        (error.exit(), error.to_string())
    })?;
    let store = Arc::new(store);
    let reply = match store.newest_change_at().await {
        Ok(newest) => {
            let (clock, passwords) = (Clock::open(data.root(), newest), Passwords::new(1, config.password_profile));
            Administration::new(store.clone(), clock, passwords, data.first_password()).answer(&request).await
        }
        Err(error) => Reply::refused(error.to_string()),
    };
    store.close().await;
    Ok(Some(reply))
}
