//! Predictions line by line: `POST /api/v1/services/{service}/predict` with `Content-Type: application/x-ndjson`.
//!
//! The answer begins before the request has ended, and a piece of the request is read when the answers to the one
//! before have left: however long the stream, it takes no more memory than a piece and its answers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::error::PayloadError;
use actix_web::http::header;
use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse};
use futures::StreamExt;
use futures::stream;

use super::{language, predict};
use crate::app::App;
use crate::body::{self, Pieces};
use crate::edge::RequestId;
use crate::inference::lines::{Line, Lines};
use crate::inference::{Pin, fault_line};
use crate::problem::{Problem, Result};

/// Media types of lines of JSON; none of them is registered.
const KINDS: [&str; 4] =
    ["application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"];

/// How long the answer waits for the first piece.
const FIRST_PIECE: Duration = Duration::from_millis(100);
/// How often a stream that waits looks whether the server ends.
const LOOK_UP: Duration = Duration::from_millis(250);
/// How much is looked at before its answers leave.
const PART_BYTES: usize = 64 << 10;

/// Whether a request says that it is lines of JSON.
pub fn is_ndjson(request: &HttpRequest) -> bool {
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = content_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
    KINDS.iter().any(|known| known.eq_ignore_ascii_case(kind))
}

/// Answers a stream. What would refuse every line refuses the request.
pub async fn predict(
    app: &web::Data<App>,
    request: &HttpRequest,
    payload: web::Payload,
    service: &str,
) -> Result<HttpResponse> {
    let route = app.inference.route(service)?;
    let (pin, id) = (predict::pin(request)?, predict::request_id(request));
    app.inference.takes_lines(&route, pin, &app.inference.call(id.as_str(), Instant::now(), None))?;
    let mut exchange = Exchange {
        app: app.clone(),
        service: service.to_owned(),
        pin,
        id,
        is_spanish: language::is_spanish(request),
        pieces: body::pieces(request, payload)?,
        unread: Bytes::new(),
        lines: Lines::new(app.config.limits.json_bytes),
        answers: Vec::new(),
        has_ended: false,
    };
    exchange.begin().await;
    let answers = stream::unfold(exchange, Exchange::next);
    Ok(HttpResponse::Ok().insert_header((header::CONTENT_TYPE, "application/x-ndjson")).streaming(answers))
}

/// A request that is read while it is answered.
struct Exchange {
    app: web::Data<App>,
    service: String,
    pin: Pin,
    id: RequestId,
    is_spanish: bool,
    pieces: Pieces,
    /// Received and not looked at yet.
    unread: Bytes,
    lines: Lines,
    /// What is to be sent next.
    answers: Vec<u8>,
    has_ended: bool,
}

type Answers = std::result::Result<Bytes, std::convert::Infallible>;
type Piece = Option<std::result::Result<Bytes, PayloadError>>;

impl Exchange {
    /// Waits a moment for the first piece. Once a short request is read as a whole, its connection can be used again;
    /// but a client may also want to see an answer's head before it sends anything.
    async fn begin(&mut self) {
        if let Ok(piece) = tokio::time::timeout(FIRST_PIECE, self.pieces.next()).await {
            self.receive(piece).await;
            self.take().await;
        }
    }

    /// The next answers, and what follows.
    async fn next(mut self) -> Option<(Answers, Self)> {
        while self.answers.is_empty() && !self.has_ended {
            if self.unread.is_empty() {
                self.wait().await;
            } else {
                self.take().await;
            }
        }
        let answers = std::mem::take(&mut self.answers);
        (!answers.is_empty()).then(|| (Ok(answers.into()), self))
    }

    /// Waits for the next piece, until the server ends or the client has been silent for too long.
    async fn wait(&mut self) {
        let silent_since = Instant::now();
        let problem = loop {
            if self.app.is_draining() {
                break Problem::unavailable("the server is ending; send the rest again", 1);
            }
            match tokio::time::timeout(LOOK_UP, self.pieces.next()).await {
                Ok(piece) => return self.receive(piece).await,
                Err(_) if silent_since.elapsed() >= body::IDLE => break Problem::slow_body(body::IDLE),
                Err(_) => {}
            }
        };
        self.end(self.lines.number(), &problem);
    }

    async fn receive(&mut self, piece: Piece) {
        match piece {
            Some(Ok(piece)) => self.unread = piece,
            Some(Err(error)) => {
                let problem = Problem::bad_request(format!("the body cannot be read: {error}"));
                self.end(self.lines.number(), &problem);
            }
            None => {
                self.has_ended = true;
                let last = self.lines.finish().into_iter().collect();
                self.answer_or_end(last).await;
            }
        }
    }

    /// Answers the lines that end in the next part of what was received: a piece of some kilobytes may unpack into
    /// many megabytes.
    async fn take(&mut self) {
        let part = self.unread.split_to(self.unread.len().min(PART_BYTES));
        let lines = self.lines.push(&part);
        self.answer_or_end(lines).await;
    }

    async fn answer_or_end(&mut self, lines: Vec<Line>) {
        let Some(first) = lines.first().map(|line| line.number) else { return };
        match self.answer(lines).await {
            Ok(answers) => self.answers = answers,
            Err(problem) => self.end(first, &problem),
        }
    }

    /// Answers lines by the routing of this moment: a stream may be longer than a version's life.
    async fn answer(&self, lines: Vec<Line>) -> Result<Vec<u8>> {
        let route = self.app.inference.route(&self.service)?;
        let (app, id, pin, is_spanish) = (self.app.clone(), self.id.clone(), self.pin, self.is_spanish);
        let bytes = lines.iter().map(|line| line.bytes.as_ref().map_or(0, Bytes::len)).sum();
        let (inference, asked, received) = (Arc::clone(&app.inference), Arc::clone(&route), Instant::now());
        inference
            .compute(&route, pin, bytes, move |turn| {
                let call = app.inference.call(id.as_str(), received, turn);
                app.inference.answer_lines(&asked, &lines, pin, &call, is_spanish)
            })
            .await
    }

    /// Tells that from this line on nothing is answered.
    fn end(&mut self, number: u64, problem: &Problem) {
        self.has_ended = true;
        self.answers = fault_line(number, problem);
    }
}
