//! Datastore's REST API, version 1, as far as the store uses it.
//! Source: <https://cloud.google.com/datastore/docs/reference/data/rest>.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// Where entities live. Empty names stand for the defaults.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PartitionId {
    pub(super) project_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) database_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) namespace_id: String,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct PathElement {
    pub(super) kind: String,
    #[serde(default)]
    pub(super) name: String,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Key {
    pub(super) partition_id: PartitionId,
    pub(super) path: Vec<PathElement>,
}

impl Key {
    pub(super) fn name(&self) -> &str {
        self.path.last().map_or("", |element| &element.name)
    }
}

/// A property's value, one of several types. None is indexed: the store asks for keys and kinds only.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Value {
    #[serde(skip_serializing_if = "Option::is_none")]
    integer_value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    boolean_value: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    string_value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blob_value: Option<String>,
    exclude_from_indexes: bool,
}

impl Value {
    pub(super) fn integer(number: i64) -> Self {
        let integer_value = Some(number.to_string());
        Self { integer_value, exclude_from_indexes: true, ..Self::default() }
    }

    pub(super) fn boolean(value: bool) -> Self {
        Self { boolean_value: Some(value), exclude_from_indexes: true, ..Self::default() }
    }

    pub(super) fn string(text: &str) -> Self {
        let string_value = Some(text.to_owned());
        Self { string_value, exclude_from_indexes: true, ..Self::default() }
    }

    pub(super) fn blob(bytes: &[u8]) -> Self {
        let blob_value = Some(STANDARD.encode(bytes));
        Self { blob_value, exclude_from_indexes: true, ..Self::default() }
    }

    pub(super) fn as_integer(&self) -> Option<i64> {
        self.integer_value.as_ref()?.parse().ok()
    }

    pub(super) fn as_boolean(&self) -> Option<bool> {
        self.boolean_value
    }

    pub(super) fn as_str(&self) -> Option<&str> {
        self.string_value.as_deref()
    }

    pub(super) fn to_blob(&self) -> Option<Vec<u8>> {
        STANDARD.decode(self.blob_value.as_ref()?).ok()
    }
}

pub(super) type Properties = BTreeMap<String, Value>;

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Entity {
    pub(super) key: Key,
    #[serde(default)]
    pub(super) properties: Properties,
}

/// One write of a commit.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Mutation {
    #[serde(flatten)]
    operation: Operation,
    #[serde(skip_serializing_if = "Option::is_none")]
    base_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    conflict_resolution_strategy: Option<&'static str>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
enum Operation {
    Insert(Entity),
    Update(Entity),
    Upsert(Entity),
    Delete(Key),
}

impl Mutation {
    pub(super) fn upsert(entity: Entity) -> Self {
        Self::free(Operation::Upsert(entity))
    }

    pub(super) fn delete(key: Key) -> Self {
        Self::free(Operation::Delete(key))
    }

    /// Fails the whole commit if there is such an entity.
    pub(super) fn insert(entity: Entity) -> Self {
        Self::free(Operation::Insert(entity))
    }

    /// Fails the whole commit if the entity's version is another. Without `FAIL` the service would
    /// keep the entity as it is and apply the rest of the commit, or even write over it.
    pub(super) fn update_of(version: &str, entity: Entity) -> Self {
        Self {
            operation: Operation::Update(entity),
            base_version: Some(version.to_owned()),
            conflict_resolution_strategy: Some("FAIL"),
        }
    }

    fn free(operation: Operation) -> Self {
        Self { operation, base_version: None, conflict_resolution_strategy: None }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CommitRequest<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) database_id: &'a str,
    pub(super) mode: &'static str,
    pub(super) single_use_transaction: ReadWrite,
    pub(super) mutations: Vec<&'a Mutation>,
}

/// `{"readWrite": {}}`: the options of a transaction that writes.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReadWrite {
    read_write: BTreeMap<(), ()>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CommitResponse {
    #[serde(default)]
    pub(super) mutation_results: Vec<MutationResult>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
pub(super) struct MutationResult {
    pub(super) version: String,
    pub(super) conflict_detected: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReadOptions {
    read_consistency: &'static str,
}

/// Every read is one: an answer from a replica that lags behind would be no witness.
pub(super) const STRONG: ReadOptions = ReadOptions { read_consistency: "STRONG" };

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LookupRequest<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) database_id: &'a str,
    pub(super) read_options: ReadOptions,
    pub(super) keys: [Key; 1],
}

#[derive(Debug, Deserialize)]
pub(super) struct LookupResponse {
    #[serde(default)]
    pub(super) found: Vec<Found>,
    #[serde(default)]
    pub(super) missing: Vec<Found>,
}

/// An entity and its version, which grows with every change and never comes back.
#[derive(Debug, Deserialize)]
pub(super) struct Found {
    pub(super) entity: Entity,
    #[serde(default)]
    pub(super) version: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct QueryRequest<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) database_id: &'a str,
    pub(super) partition_id: &'a PartitionId,
    pub(super) read_options: ReadOptions,
    pub(super) query: Query<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Query<'a> {
    pub(super) kind: [KindName; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) filter: Option<Filter>,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) start_cursor: &'a str,
    pub(super) limit: usize,
}

/// Bounds of the keys that a query finds, which needs no index of one's own.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Filter {
    composite_filter: CompositeFilter,
}

#[derive(Debug, Serialize)]
struct CompositeFilter {
    op: &'static str,
    filters: Vec<Bound>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Bound {
    property_filter: PropertyFilter,
}

#[derive(Debug, Serialize)]
struct PropertyFilter {
    property: PropertyName,
    op: &'static str,
    value: KeyValue,
}

#[derive(Debug, Serialize)]
struct PropertyName {
    name: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct KeyValue {
    key_value: Key,
}

impl Filter {
    /// Keys from the first on, up to but without the second.
    pub(super) fn between(from: Option<Key>, to: Option<Key>) -> Option<Self> {
        let bound = |op: &'static str, key_value: Key| {
            let property = PropertyName { name: "__key__" };
            Bound {
                property_filter: PropertyFilter { property, op, value: KeyValue { key_value } },
            }
        };
        let from = from.map(|key| bound("GREATER_THAN_OR_EQUAL", key));
        let to = to.map(|key| bound("LESS_THAN", key));
        let filters: Vec<_> = from.into_iter().chain(to).collect();
        // The service takes no filter of nothing.
        (!filters.is_empty())
            .then_some(Self { composite_filter: CompositeFilter { op: "AND", filters } })
    }
}

#[derive(Debug, Serialize)]
pub(super) struct KindName {
    pub(super) name: &'static str,
}

#[derive(Debug, Deserialize)]
pub(super) struct QueryResponse {
    pub(super) batch: QueryBatch,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct QueryBatch {
    #[serde(default)]
    pub(super) entity_results: Vec<Found>,
    #[serde(default)]
    pub(super) end_cursor: String,
    pub(super) more_results: PageEnd,
}

impl QueryBatch {
    /// Whether there may be more after this page of at most so many. A query that was carried through to
    /// its end and found fewer has found all, and so it is not asked once more.
    pub(super) fn is_followed(&self, limit: usize) -> bool {
        match self.more_results {
            PageEnd::Early => true,
            PageEnd::AtTheEnd => false,
            PageEnd::AtLimit | PageEnd::AtCursor => self.entity_results.len() >= limit,
        }
    }
}

/// Why a page ends where it does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
pub(super) enum PageEnd {
    /// The service stopped in the middle.
    #[serde(rename = "NOT_FINISHED")]
    Early,
    #[serde(rename = "MORE_RESULTS_AFTER_LIMIT")]
    AtLimit,
    #[serde(rename = "MORE_RESULTS_AFTER_CURSOR")]
    AtCursor,
    #[serde(rename = "NO_MORE_RESULTS")]
    AtTheEnd,
}

/// How Google's services say that a call failed.
#[derive(Debug, Deserialize)]
pub(super) struct ErrorResponse {
    pub(super) error: ErrorStatus,
}

#[derive(Debug, Deserialize)]
pub(super) struct ErrorStatus {
    #[serde(default)]
    pub(super) status: String,
    #[serde(default)]
    pub(super) message: String,
}
