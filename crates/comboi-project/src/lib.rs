//! What people write: configuration, transformations and contracts, read and checked.
//!
//! Pure but for reading files: never the network, the clock or the environment.

mod config;
mod contract;
mod dedupe;
mod known;
mod names;
mod number;
mod problem;
mod project;
mod read;
mod schema;
mod setting;
mod suggest;
pub mod text;
mod transformations;
mod types;
mod yaml;

pub use config::{
    Authentication, BadByteSize, BadLogLevel, BadLookback, BadRowPolicy, BadSpan, BadTemplate,
    BadVaultUrl, ByteSize, ChangedFilePolicy, Config, Connection, CsvOptions, DataLake,
    DatabaseIncremental, DatabaseSource, DatabaseTable, EngineSettings, FanOut, FileFormat,
    FilesSource, FilesTable, Incremental, KeyVault, LogLevel, Lookback, Monitoring, NullPolicy,
    PathTemplate, Policies, Pseudonyms, Quantity, Queue, SchemaChangePolicy, Source, Span, SslMode,
    StageSettings, Stages, VaultUrl, encoding,
};
pub use contract::{
    Action, AggregateFunction, AggregateMatchRule, AggregateRule, Between, ColumnRule,
    CompareOperator, CompareRule, Comparison, Compatibility, Completeness, Constraint, Constraints,
    Contract, ContractColumn, CustomSqlRule, Dimension, Direction, EqualityRule, Evolution,
    EvolutionMode, ExpressionRule, FailedRowsRule, ForeignKey, ForeignKeyRule, Format, FormatRule,
    Freshness, FreshnessRule, Gaps, Handled, Handling, Kept, KeptFor, LengthRule, MissingRule,
    MonotonicRule, MultipleOfRule, NoOverlapRule, PatternRule, Privacy, QualityRule,
    QuarantineLimits, RangeRule, References, Retention, RowCountChangeRule, RowCountMatchRule,
    Rule, RuleKind, Schedule, Schema, SequentialRule, Severity, SingleColumnRule, Sla, StepUnit,
    Terms, Unit, ValidityRule, ValuesRule, VolumeRule,
};
pub use dedupe::{
    Dedupe, DedupeOutput, GoldenRule, Inline, Keep, Lambda, LargeCluster, Likeness, LinkKey, Model,
    Ranked, SourceOrder, Splink, SurvivorRule, Train,
};
pub use known::KnownSchemas;
pub use names::{
    Alias, BadDatasetId, BadName, BadStage, Companion, DatasetId, DatasetName, MAX_NAME_LENGTH,
    PipelineName, RunId, SourceName, Stage, TableName,
};
pub use number::Number;
pub use problem::{Place, Problem, Problems};
pub use project::{
    Dataset, Deduplication, HeldAgainst, Input, NamedContract, PartialProject, Project, SqlText,
    folder_of,
};
pub use read::{Entries, Literal, Located, OneOrMany, Written};
pub use schema::schemas;
pub use setting::{
    BadSecretName, NoVault, Secret, SecretName, Secrets, SecretsError, Setting, UnresolvedSetting,
};
pub use suggest::{did_you_mean, nearest};
pub use transformations::{
    DatasetInput, InputRef, PathInput, Transformation, TransformationKind, Transformations,
};
pub use types::{BadType, Column, Columns, FieldNames, NotKept, SqlType, quoted_name};
pub use yaml::yaml_as_json;
