//! The command line: the server itself, the demo, and clients of the API with its powers.

mod drift;
mod operate;
pub mod output;
pub mod remote;
mod serve;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};

use crate::demo;
use remote::{DatasetCommand, KeyCommand, ModelCommand, Remote, RolloutCommand};

/// The MLOps platform that a small company can run itself.
#[derive(Debug, Parser)]
#[command(name = "chasqui", version)]
struct Cli {
    #[command(flatten)]
    remote: Remote,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer predictions, the API and pages, and run jobs
    Serve(serve::Serve),
    /// Run jobs only; answers no requests
    Worker(serve::Worker),
    /// Bring the database's schema up to date and exit
    Migrate(serve::Migrate),
    /// Print the configuration in force, without its secrets
    Config(operate::Show),
    /// Print the OpenAPI document of the API
    Openapi,
    /// Look at everything the server needs, and say what is wrong
    Doctor(operate::Doctor),
    /// Show the whole loop on generated data
    Demo(demo::Options),
    /// Register and list models, move aliases
    #[command(subcommand)]
    Model(ModelCommand),
    /// Upload and list datasets
    #[command(subcommand)]
    Dataset(DatasetCommand),
    /// Compare two files, without a server
    #[command(subcommand)]
    Drift(drift::DriftCommand),
    /// Ask a service about the records of a JSON file
    Predict {
        /// The service
        service: String,
        /// An array of records, one record, or one a line
        file: PathBuf,
    },
    /// Start, watch and end rollouts
    #[command(subcommand)]
    Rollout(RolloutCommand),
    /// Run a pipeline and follow its job
    Retrain {
        /// The pipeline
        pipeline: String,
        /// Return at once with the job's id
        #[arg(long)]
        no_wait: bool,
    },
    /// Write a service's report and print its address
    Report {
        /// The service
        service: String,
    },
    /// Make, list and revoke API keys
    #[command(subcommand)]
    Key(KeyCommand),
}

/// Reads the command line and does what it says.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let remote = cli.remote;
    let done = match cli.command {
        Command::Serve(serve) => serve.run(),
        Command::Worker(worker) => worker.run(),
        Command::Migrate(migrate) => migrate.run(),
        Command::Config(config) => config.run(),
        Command::Openapi => {
            output::line(crate::openapi::text().trim_end());
            Ok(())
        }
        Command::Doctor(doctor) => serve::block_on(doctor.run()),
        Command::Demo(options) => serve::block_on(async {
            let complete = demo::run(options).await?;
            complete.then_some(()).context("not every step happened")
        }),
        Command::Model(command) => serve::block_on(remote.model(command)),
        Command::Dataset(command) => serve::block_on(remote.dataset(command)),
        Command::Drift(command) => match command.run(remote.wants_json()) {
            Ok(code) => return code,
            Err(error) => Err(error),
        },
        Command::Predict { service, file } => serve::block_on(remote.predict(&service, &file)),
        Command::Rollout(command) => serve::block_on(remote.rollout(command)),
        Command::Retrain { pipeline, no_wait } => serve::block_on(remote.retrain(&pipeline, !no_wait)),
        Command::Report { service } => serve::block_on(remote.report(&service)),
        Command::Key(command) => serve::block_on(remote.key(command)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::note(format!("chasqui: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
