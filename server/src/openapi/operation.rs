//! What one operation says about itself, and how that is written down.

use chasqui_registry::user::Role;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::schemas::{SchemaOf, Schemas, of};
use super::{parameters, problems};
use crate::body;
use crate::problem::Problem;

/// The id in every example.
pub const EXAMPLE_ID: &str = "019a1f2e-7c3d-7b11-8a22-5b1f6f1e0c44";

/// One method of one path, described. Who may call it, its path's parameters, and the refusals that follow from its
/// query, its body and its key are known without being said.
#[derive(Debug)]
pub struct Operation {
    method: &'static str,
    path: &'static str,
    id: &'static str,
    tag: &'static str,
    summary: &'static str,
    about: &'static str,
    least: Option<Role>,
    is_kept: bool,
    query: Option<SchemaOf>,
    parameters: Vec<Value>,
    body: Option<Body>,
    answers: Vec<Answer>,
    problems: Vec<Problem>,
}

#[derive(Debug)]
struct Body {
    is_required: bool,
    kinds: Vec<Content>,
}

#[derive(Debug)]
struct Answer {
    status: u16,
    about: &'static str,
    content: Vec<Content>,
    headers: Vec<&'static str>,
}

#[derive(Debug)]
struct Content {
    kind: &'static str,
    shape: Shape,
    example: Option<Value>,
}

#[derive(Debug)]
enum Shape {
    Typed(SchemaOf),
    Given(Value),
    /// What has the type but not the form that the type promises.
    Unsaid,
}

impl Operation {
    fn new(method: &'static str, path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self {
            method,
            path,
            id,
            tag: "server",
            summary,
            about: "",
            least: Some(if is_safe(method) { Role::Viewer } else { Role::Editor }),
            is_kept: method == "post",
            query: None,
            parameters: Vec::new(),
            body: None,
            answers: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// Reads something; viewers may.
    pub fn get(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new("get", path, id, summary)
    }

    /// Reads the head of what GET reads; viewers may.
    pub fn head(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new("head", path, id, summary)
    }

    /// Makes or does something; editors may, and the answer is kept under an `Idempotency-Key`.
    pub fn post(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new("post", path, id, summary)
    }

    /// Puts something where nothing or another was; editors may.
    pub fn put(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new("put", path, id, summary)
    }

    /// Takes something away; editors may.
    pub fn delete(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new("delete", path, id, summary)
    }

    /// Its group.
    #[must_use]
    pub fn tag(self, tag: &'static str) -> Self {
        Self { tag, ..self }
    }

    /// What the summary does not say.
    #[must_use]
    pub fn about(self, about: &'static str) -> Self {
        Self { about, ..self }
    }

    /// Another role than the method's is needed.
    #[must_use]
    pub fn by(self, least: Role) -> Self {
        Self { least: Some(least), ..self }
    }

    /// It needs no key.
    #[must_use]
    pub fn open(self) -> Self {
        Self { least: None, ..self }
    }

    /// Its answers are not kept for those who ask again.
    #[must_use]
    pub fn not_kept(self) -> Self {
        Self { is_kept: false, ..self }
    }

    /// Its query is read as this type; each field is a parameter.
    #[must_use]
    pub fn query<T: DeserializeOwned + JsonSchema>(mut self) -> Self {
        self.problems.extend(body::query::<T>("surprise=1").err());
        if self.query.replace(of::<T>()).is_none() && self.path_has_pages::<T>() {
            self.problems.extend(problems::wrong_limit());
        }
        self
    }

    fn path_has_pages<T: DeserializeOwned>(&self) -> bool {
        self.method == "get" && body::query::<T>("limit=1").is_ok()
    }

    /// A parameter that no type describes.
    #[must_use]
    pub fn parameter(mut self, parameter: Value) -> Self {
        self.parameters.push(parameter);
        self
    }

    /// Its body is JSON of this type; what is answered to others is made by reading them.
    #[must_use]
    pub fn body<T: DeserializeOwned + JsonSchema>(mut self, example: Value) -> Self {
        let is_required = body::parse::<T>(b"").is_err();
        self.problems.extend(problems::wrong_bodies::<T>());
        self.body = Some(Body {
            is_required,
            kinds: vec![Content {
                kind: "application/json",
                shape: Shape::Typed(of::<T>()),
                example: Some(example),
            }],
        });
        self
    }

    /// Its body may be the bytes of a file.
    #[must_use]
    pub fn takes_file(self, kind: &'static str) -> Self {
        self.takes(kind, json!({ "type": "string", "format": "binary", "minLength": 1 }), None)
    }

    /// Its body may be of this kind too. Without a type, a schema says what it is.
    #[must_use]
    pub fn takes(mut self, kind: &'static str, schema: Value, example: Option<Value>) -> Self {
        let body = self.body.get_or_insert(Body { is_required: true, kinds: Vec::new() });
        body.kinds.push(Content { kind, shape: Shape::Given(schema), example });
        self
    }

    /// It answers JSON of this type.
    #[must_use]
    pub fn answers<T: JsonSchema>(self, status: u16, about: &'static str, example: Value) -> Self {
        let shape = Shape::Typed(of::<T>());
        self.answer(status, about, vec![Content { kind: "application/json", shape, example: Some(example) }])
    }

    /// It answers something that no type describes.
    #[must_use]
    pub fn gives(
        mut self,
        status: u16,
        about: &'static str,
        kind: &'static str,
        schema: Value,
        example: Option<Value>,
    ) -> Self {
        let content = Content { kind, shape: Shape::Given(schema), example };
        if let Some(same) = self.answers.iter_mut().find(|answer| answer.status == status) {
            same.content.push(content);
            return self;
        }
        self.answer(status, about, vec![content])
    }

    /// It answers the bytes of a file.
    #[must_use]
    pub fn gives_file(self, kind: &'static str) -> Self {
        self.gives(200, "The file", kind, json!({ "type": "string", "format": "binary" }), None)
    }

    /// It answers something that says of itself that it is of this kind, and is not.
    #[must_use]
    pub fn calls_itself(self, status: u16, about: &'static str, kind: &'static str) -> Self {
        self.answer(status, about, vec![Content { kind, shape: Shape::Unsaid, example: None }])
    }

    /// It answers nothing but that it is done.
    #[must_use]
    pub fn done(self, about: &'static str) -> Self {
        self.empty(204, about)
    }

    /// It answers without a body.
    #[must_use]
    pub fn empty(self, status: u16, about: &'static str) -> Self {
        self.answer(status, about, Vec::new())
    }

    fn answer(mut self, status: u16, about: &'static str, content: Vec<Content>) -> Self {
        let mut headers = vec!["X-Request-Id"];
        if matches!(status, 201 | 202) {
            headers.push("Location");
        }
        self.answers.push(Answer { status, about, content, headers });
        self
    }

    /// The last answer carries this header.
    #[must_use]
    pub fn header(mut self, name: &'static str) -> Self {
        if let Some(answer) = self.answers.last_mut() {
            answer.headers.push(name);
        }
        self
    }

    /// It refuses like this.
    #[must_use]
    pub fn fails(mut self, problem: impl Into<Problem>) -> Self {
        self.problems.push(problem.into());
        self
    }

    /// Its path.
    pub fn path(&self) -> &'static str {
        self.path
    }

    /// Its method, in lowercase.
    pub fn method(&self) -> &'static str {
        self.method
    }

    /// As the document tells it.
    pub(super) fn describe(self, schemas: &mut Schemas) -> Value {
        let mut told = json!({
            "operationId": self.id,
            "summary": self.summary,
            "tags": [self.tag],
            "x-role": self.least.map_or("none", Role::as_str),
        });
        if !self.about.is_empty() {
            told["description"] = self.about.into();
        }
        if self.least.is_none() {
            told["security"] = json!([]);
        }
        let parameters = self.all_parameters(schemas);
        if !parameters.is_empty() {
            told["parameters"] = parameters.into();
        }
        if let Some(body) = &self.body {
            let content = contents(&body.kinds, |shape| schemas.read(shape));
            told["requestBody"] = json!({ "required": body.is_required, "content": content });
        }
        told["responses"] = self.responses(schemas);
        told
    }

    fn all_parameters(&self, schemas: &mut Schemas) -> Vec<Value> {
        let is_protocol = problems::is_protocol(self.path);
        let mut all: Vec<Value> = parameters::names(self.path)
            .map(|name| parameters::of_path(name, &parameters::segment(name, is_protocol), schemas))
            .collect();
        if let Some(query) = self.query {
            all.extend(parameters::of_query(query, schemas));
        }
        all.extend(self.parameters.iter().cloned());
        if self.is_kept {
            all.push(parameters::idempotency_key());
        }
        all
    }

    fn responses(&self, schemas: &mut Schemas) -> Value {
        let mut all = Map::new();
        for answer in &self.answers {
            let mut names = answer.headers.clone();
            if self.is_kept {
                names.push("Idempotency-Replayed");
            }
            let headers: Map<String, Value> = names
                .into_iter()
                .map(|name| (name.to_owned(), json!({ "$ref": format!("#/components/headers/{name}") })))
                .collect();
            let mut told = json!({ "description": answer.about, "headers": headers });
            if !answer.content.is_empty() {
                told["content"] = contents(&answer.content, |shape| schemas.written(shape));
            }
            all.insert(answer.status.to_string(), told);
        }
        for (status, refusal) in self.refusals() {
            all.entry(status.to_string()).or_insert(refusal);
        }
        all.into()
    }

    /// Every error: those said, and those that go with a key, a name in the path and a POST.
    fn refusals(&self) -> Vec<(u16, Value)> {
        let mut all = self.problems.clone();
        if parameters::names(self.path).next().is_some() {
            all.push(problems::wrong_escapes());
        }
        if self.has_names() {
            all.push(problems::wrong_name());
        }
        if self.is_kept {
            all.extend(problems::of_idempotency());
        }
        if self.body.is_some() {
            all.push(problems::slow_body());
        }
        let status = |problem: &Problem| problems::status(self.path, problem);
        all.sort_by_key(status);
        let groups = all.chunk_by(|a, b| status(a) == status(b));
        let mut told: Vec<(u16, Value)> =
            groups.map(|group| (status(&group[0]), problems::response(self.path, group))).collect();
        let Some(least) = self.least else { return told };
        told.push((401, problems::reference(self.path, "Unauthorized")));
        if least > Role::Viewer || !is_safe(self.method) {
            told.push((403, problems::reference(self.path, problems::forbidden(least))));
        }
        told.push((500, problems::reference(self.path, "Failed")));
        told.push((503, problems::reference(self.path, "Unavailable")));
        told
    }

    /// Whether its path has names that may be none, so that it is refused before the handler.
    fn has_names(&self) -> bool {
        let is_protocol = problems::is_protocol(self.path);
        parameters::names(self.path)
            .any(|name| matches!(parameters::segment(name, is_protocol), parameters::Segment::Typed(..)))
    }
}

/// Whether a method changes nothing.
fn is_safe(method: &str) -> bool {
    matches!(method, "get" | "head")
}

fn contents(all: &[Content], mut schema_of: impl FnMut(SchemaOf) -> Value) -> Value {
    let mut told = Map::new();
    for content in all {
        let mut media = json!({});
        match &content.shape {
            Shape::Typed(schema) => media["schema"] = schema_of(*schema),
            Shape::Given(schema) => media["schema"] = schema.clone(),
            Shape::Unsaid => {}
        }
        if let Some(example) = &content.example {
            media["example"] = example.clone();
        }
        told.insert(content.kind.to_owned(), media);
    }
    told.into()
}
