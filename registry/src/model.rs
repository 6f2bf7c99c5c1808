//! Models: a name under which versions follow each other.

use chasqui_runtime::Task;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::any::AnyRow;

use crate::db::Tx;
use crate::name::{Actor, ModelName, check_text};
use crate::{Error, Micros, Page, PageRequest, Registry, Result, audit, routing, row};

const DESCRIPTION_BYTES: usize = 64 << 10;

/// A model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Model {
    /// Its name.
    pub name: ModelName,
    /// What it is for, in the words of whoever made it.
    pub description: String,
    /// What its versions predict; versions that say otherwise are refused.
    pub task: Option<Task>,
    /// When it was created.
    pub created_at: Micros,
    /// When it, an alias or a version of it last changed.
    pub updated_at: Micros,
}

/// What is said about a model when it is created.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NewModel {
    /// What it is for.
    pub description: String,
    /// What its versions will predict, where that is known.
    pub task: Option<Task>,
}

impl Registry {
    /// Creates a model without versions.
    pub async fn create_model(&self, actor: &Actor, name: &ModelName, new: NewModel) -> Result<Model> {
        check_text("description", &new.description, DESCRIPTION_BYTES)?;
        let now = self.now();
        let mut tx = self.db.begin().await?;
        if !insert(&mut tx, name, &new, now).await? {
            return Err(Error::AlreadyExists(format!(
                "the model `{name}` exists already, perhaps deleted; choose another name or restore it"
            )));
        }
        record_creation(&mut tx, actor, name, &new, now).await?;
        tx.commit().await?;
        Ok(Model {
            name: name.clone(),
            description: new.description,
            task: new.task,
            created_at: now,
            updated_at: now,
        })
    }

    /// The model of this name, unless it was deleted.
    pub async fn get_model(&self, name: &ModelName) -> Result<Option<Model>> {
        let row = sqlx::query("SELECT * FROM models WHERE name = $1 AND deleted_at IS NULL")
            .bind(name.as_str())
            .fetch_optional(self.db.pool())
            .await?;
        row.as_ref().map(from_row).transpose()
    }

    /// Models by name; those whose name contains `search` in any case when it is given.
    pub async fn list_models(&self, search: Option<&str>, page: &PageRequest) -> Result<Page<Model>> {
        let search = search.unwrap_or("");
        let rows = sqlx::query(
            "SELECT * FROM models WHERE deleted_at IS NULL AND name > $1 \
             AND (LOWER(name) LIKE $2 ESCAPE '!' OR name LIKE $3 ESCAPE '!') ORDER BY name LIMIT $4",
        )
        .bind(page.after_text())
        .bind(containing(&search.to_lowercase()))
        // SQLite lowers ASCII letters only: `Ñ` is found as it is written.
        .bind(containing(search))
        .bind(page.fetch_limit())
        .fetch_all(self.db.pool())
        .await?;
        let models = rows.iter().map(from_row).collect::<Result<Vec<_>>>()?;
        Ok(Page::of_rows(models, page, |model| model.name.to_string()))
    }

    /// Deletes a model softly: it is no longer seen, its versions and bytes stay. Refused while a service
    /// answers with it.
    pub async fn delete_model(&self, actor: &Actor, name: &ModelName, reason: &str) -> Result<()> {
        let now = self.now();
        let mut tx = self.db.begin().await?;
        lock(&mut tx, name, now).await?;
        if let Some(service) = service_of(&mut tx, name).await? {
            return Err(Error::Conflict(format!(
                "the service `{service}` answers with the model `{name}`; delete the service first"
            )));
        }
        sqlx::query("UPDATE models SET deleted_at = $1 WHERE name = $2")
            .bind(now.0)
            .bind(name.as_str())
            .execute(&mut *tx)
            .await?;
        record_deletion(&mut tx, actor, name, "model.delete", reason, now).await?;
        tx.commit().await
    }

    /// Brings a deleted model back, with everything it had.
    pub async fn restore_model(&self, actor: &Actor, name: &ModelName, reason: &str) -> Result<()> {
        let now = self.now();
        let mut tx = self.db.begin().await?;
        let done = sqlx::query(
            "UPDATE models SET deleted_at = NULL, updated_at = $1 WHERE name = $2 AND deleted_at IS NOT NULL",
        )
        .bind(now.0)
        .bind(name.as_str())
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Err(Error::NotFound(format!("there is no deleted model `{name}`")));
        }
        record_deletion(&mut tx, actor, name, "model.restore", reason, now).await?;
        tx.commit().await
    }
}

/// Inserts the row unless there is one; says whether it did.
pub(crate) async fn insert(tx: &mut Tx, name: &ModelName, new: &NewModel, now: Micros) -> Result<bool> {
    let task = new.task.map(task_text).transpose()?;
    let done = sqlx::query(
        "INSERT INTO models (name, description, task, created_at, updated_at) VALUES ($1, $2, $3, $4, $4) \
         ON CONFLICT (name) DO NOTHING",
    )
    .bind(name.as_str())
    .bind(&new.description)
    .bind(task)
    .bind(now.0)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(crate) async fn record_creation(
    tx: &mut Tx,
    actor: &Actor,
    name: &ModelName,
    new: &NewModel,
    now: Micros,
) -> Result<()> {
    let entry = audit::Entry {
        actor,
        action: "model.create",
        subject: format!("model:{name}"),
        before: None,
        after: Some(json!(new)),
        reason: "",
    };
    audit::record(tx, now, entry).await.map(|_| ())
}

/// Marks the model as changed, and by that keeps every other change of it, its versions and its aliases
/// waiting until this transaction ends. Whoever makes something point to a version calls this first.
pub async fn lock(tx: &mut Tx, name: &ModelName, now: Micros) -> Result<()> {
    let done = sqlx::query("UPDATE models SET updated_at = $1 WHERE name = $2 AND deleted_at IS NULL")
        .bind(now.0)
        .bind(name.as_str())
        .execute(&mut **tx)
        .await?;
    if done.rows_affected() == 0 {
        return Err(Error::not_found("model", name));
    }
    Ok(())
}

async fn service_of(tx: &mut Tx, name: &ModelName) -> Result<Option<String>> {
    let row = sqlx::query(
        "SELECT name FROM services WHERE model = $1 AND deleted_at IS NULL ORDER BY name LIMIT 1",
    )
    .bind(name.as_str())
    .fetch_optional(&mut **tx)
    .await?;
    row.map(|row| row::text(&row, "name")).transpose()
}

async fn record_deletion(
    tx: &mut Tx,
    actor: &Actor,
    name: &ModelName,
    action: &'static str,
    reason: &str,
    now: Micros,
) -> Result<()> {
    routing::bump_epoch(tx).await?;
    let subject = format!("model:{name}");
    let entry = audit::Entry { actor, action, subject, before: None, after: None, reason };
    audit::record(tx, now, entry).await.map(|_| ())
}

fn from_row(row: &AnyRow) -> Result<Model> {
    Ok(Model {
        name: row::parsed(row, "name")?,
        description: row::text(row, "description")?,
        task: row::optional_text(row, "task")?.map(parse_task).transpose()?,
        created_at: row::micros(row, "created_at")?,
        updated_at: row::micros(row, "updated_at")?,
    })
}

fn task_text(task: Task) -> Result<String> {
    match serde_json::to_value(task).map_err(Error::internal)? {
        serde_json::Value::String(text) => Ok(text),
        other => Err(Error::internal(format!("a task is written as {other}"))),
    }
}

fn parse_task(text: String) -> Result<Task> {
    serde_json::from_value(serde_json::Value::String(text)).map_err(Error::internal)
}

/// A LIKE pattern for texts that contain this one; `!` escapes.
fn containing(text: &str) -> String {
    let escaped = text.replace('!', "!!").replace('%', "!%").replace('_', "!_");
    format!("%{escaped}%")
}

#[cfg(test)]
mod tests {
    use chasqui_runtime::Task;

    use super::{containing, parse_task, task_text};

    #[test]
    fn tasks_are_stored_by_name() {
        for (task, text) in
            [(Task::Regression, "regression"), (Task::Binary, "binary"), (Task::Multiclass, "multiclass")]
        {
            assert_eq!(task_text(task).unwrap(), text);
            assert_eq!(parse_task(text.into()).unwrap(), task);
        }
    }

    #[test]
    fn a_search_is_taken_literally() {
        assert_eq!(containing("50%_a!"), "%50!%!_a!!%");
    }
}
