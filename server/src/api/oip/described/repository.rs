//! `/v2/repository`, for the API's document.

use chasqui_registry::Error;
use chasqui_registry::user::Role;
use serde_json::json;

use super::missing;
use crate::api::oip::repository::{Change, Wanted, cannot_override};
use crate::inference::IndexEntry;
use crate::openapi::Operation;
use crate::problem::Problem;

pub(super) fn operations() -> Vec<Operation> {
    let entry = json!([
        { "name": "demanda", "version": "1", "state": "READY", "reason": "" },
        { "name": "ventas", "version": "", "state": "UNAVAILABLE", "reason": "it is unloaded" },
    ]);
    let change = |path, id, summary| {
        Operation::post(path, id, summary)
            .not_kept()
            .body::<Change>(json!({}))
            .fails(unfit())
            .fails(missing())
    };
    vec![
        Operation::post(
            "/v2/repository/index",
            "repositoryIndex",
            "Lists services with their loaded versions",
        )
        .by(Role::Viewer)
        .not_kept()
        .body::<Wanted>(json!({ "ready": true }))
        .answers::<Vec<IndexEntry>>(200, "Every service with its loaded versions", entry)
        .fails(unfit()),
        change("/v2/repository/models/{model}/load", "loadModel", "Brings a service back")
            .about("A load that brings a configuration or files of its own is refused.")
            .empty(200, "It answers")
            .fails(cannot_override("config"))
            .fails(Problem::unavailable(
                "the service `demanda` could not be loaded: the model `demanda` has no alias `champion`",
                5,
            )),
        change("/v2/repository/models/{model}/unload", "unloadModel", "Takes a service out of service")
            .about("On every replica, until it is loaded again.")
            .empty(200, "It does not answer any more")
            .fails(Error::Conflict("a rollout of the service `demanda` is under way; abort it first".into())),
    ]
}

fn unfit() -> Problem {
    Problem::unprocessable(
        "the body does not fit: invalid type: integer `7`, expected a boolean at line 1 column 10",
    )
}
