//! Problems as gRPC tells them. This is the one place where they become codes.

use tonic::metadata::MetadataValue;
use tonic::{Code, Status};

use crate::problem::Problem;

/// The status of a problem, with its sentence and after how many seconds to try again.
pub(super) fn of(problem: &Problem) -> Status {
    let mut status = Status::new(code(problem), problem.detail());
    if let Some(seconds) = problem.retry_after() {
        status.metadata_mut().insert("retry-after", MetadataValue::from(seconds));
    }
    status
}

/// The library's refusal of a message above the limit, as we call it. What else it says stays.
pub(super) fn of_message(status: Status, most_bytes: usize) -> Status {
    match status.code() {
        Code::OutOfRange => of(&Problem::too_large("the message", most_bytes)),
        _ => status,
    }
}

fn code(problem: &Problem) -> Code {
    match problem.status().as_u16() {
        400 | 422 => Code::InvalidArgument,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::NotFound,
        409 => Code::FailedPrecondition,
        413 | 429 => Code::ResourceExhausted,
        415 | 501 => Code::Unimplemented,
        503 => Code::Unavailable,
        504 => Code::DeadlineExceeded,
        _ => Code::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_of_clients_are_not_internal() {
        let code = |problem: Problem| of(&problem).code();
        assert_eq!(code(Problem::bad_request("x")), Code::InvalidArgument);
        assert_eq!(code(Problem::unprocessable("x")), Code::InvalidArgument);
        assert_eq!(code(Problem::unauthorized("x")), Code::Unauthenticated);
        assert_eq!(code(Problem::not_found("x")), Code::NotFound);
        assert_eq!(code(Problem::too_large("x", 1)), Code::ResourceExhausted);
        assert_eq!(code(Problem::timed_out("x")), Code::DeadlineExceeded);
        let busy = of(&Problem::unavailable("x", 7));
        assert_eq!(
            (busy.code(), busy.metadata().get("retry-after").unwrap().as_bytes()),
            (Code::Unavailable, &b"7"[..])
        );
    }
}
