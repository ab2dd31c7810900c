//! Columns as Delta's schema and back, and the columns of a Parquet file.
//!
//! The schema has the types in which the lake keeps values; the SQL type that people's queries see
//! stands beside each in its metadata, under `comboi.type`. What a source calls the column, or a field, is `comboi.source_name`.

use comboi_project::{Column, Columns, FieldNames, SqlType};
use deltalake::arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use serde_json::{Value, json};

const SQL_TYPE: &str = "comboi.type";
const SOURCE_NAME: &str = "comboi.source_name";
/// For other readers: no file has this column, and its type may still change.
const UNTYPED: &str = "comboi.untyped";

/// Delta's schema of columns; else why they can't be kept.
pub(crate) fn to_delta(columns: &Columns) -> Result<Value, String> {
    let mut fields = Vec::new();
    for (i, column) in columns.iter().enumerate() {
        let name = &column.name;
        if columns.position(name) != Some(i) {
            return Err(format!("there are two columns of the name `{name}`"));
        }
        if name.is_empty() {
            return Err("a column has no name".to_owned());
        }
        if name.contains([' ', ',', ';', '{', '}', '(', ')', '\n', '\t', '=']) {
            return Err(format!(
                "readers of Delta tables can't have a column named `{name}`: a name has no space and none of `,;{{}}()=`"
            ));
        }
        let kept = column
            .sql_type
            .lake_type()
            .map_err(|e| format!("column `{name}`: {e}: {}", e.hint))?;
        let mut field = field(name, &kept, &mut Vec::new(), &column.field_names)?;
        field["metadata"] = metadata(column);
        fields.push(field);
    }
    Ok(json!({ "type": "struct", "fields": fields }))
}

fn metadata(column: &Column) -> Value {
    let mut metadata = json!({ SQL_TYPE: column.sql_type.to_string() });
    if let Some(source_name) = &column.source_name {
        metadata[SOURCE_NAME] = json!(source_name);
    }
    if column.is_untyped() {
        metadata[UNTYPED] = json!(true);
    }
    metadata
}

/// `path`: of the field itself; empty for a column.
fn field(
    name: &str,
    kept: &SqlType,
    path: &mut Vec<String>,
    names: &FieldNames,
) -> Result<Value, String> {
    let metadata = match names.get(path) {
        Some(source_name) => json!({ SOURCE_NAME: source_name }),
        None => json!({}),
    };
    Ok(
        json!({ "name": name, "type": delta_type(kept, path, names)?, "nullable": true, "metadata": metadata }),
    )
}

fn delta_type(kept: &SqlType, path: &mut Vec<String>, names: &FieldNames) -> Result<Value, String> {
    Ok(match kept {
        SqlType::Boolean => json!("boolean"),
        SqlType::TinyInt => json!("byte"),
        SqlType::SmallInt => json!("short"),
        SqlType::Integer => json!("integer"),
        SqlType::BigInt => json!("long"),
        SqlType::Float => json!("float"),
        SqlType::Double => json!("double"),
        SqlType::Decimal(precision, scale) => json!(format!("decimal({precision},{scale})")),
        SqlType::Varchar(_) => json!("string"),
        SqlType::Blob => json!("binary"),
        SqlType::Date => json!("date"),
        SqlType::TimestampTz => json!("timestamp"),
        SqlType::List(item) => {
            json!({ "type": "array", "elementType": delta_type(item, path, names)?, "containsNull": true })
        }
        SqlType::Struct(fields) => {
            let fields = fields
                .iter()
                .map(|(name, of)| {
                    path.push(name.clone());
                    let field = field(name, of, path, names);
                    path.pop();
                    field
                })
                .collect::<Result<Vec<_>, _>>()?;
            json!({ "type": "struct", "fields": fields })
        }
        SqlType::Map(key, value) => {
            // Nobody gives fields of maps other names.
            let (path, names) = (&mut Vec::new(), &FieldNames::new());
            let key = delta_type(key, path, names)?;
            let value = delta_type(value, path, names)?;
            json!({ "type": "map", "keyType": key, "valueType": value, "valueContainsNull": true })
        }
        other => return Err(format!("{other} is no type of the lake")),
    })
}

/// The columns of Delta's schema; else what is not understood in it.
pub(crate) fn from_delta(schema: &Value) -> Result<Columns, String> {
    fields(schema)?.iter().map(column).collect()
}

fn fields(schema: &Value) -> Result<&Vec<Value>, String> {
    schema["fields"]
        .as_array()
        .ok_or_else(|| "its schema has no fields".to_owned())
}

fn column(field: &Value) -> Result<Column, String> {
    let name = field["name"]
        .as_str()
        .ok_or("a column has no name")?
        .to_owned();
    let kept = sql_type(&field["type"]).map_err(|what| format!("column `{name}` has {what}"))?;
    // Another program may have changed the type since and left our note as it was.
    let noted = field["metadata"][SQL_TYPE]
        .as_str()
        .and_then(|noted| noted.parse::<SqlType>().ok())
        .filter(|noted| {
            noted
                .lake_type()
                .is_ok_and(|type_of_noted| type_of_noted == kept)
        });
    let source_name = field["metadata"][SOURCE_NAME].as_str().map(str::to_owned);
    let mut field_names = FieldNames::new();
    add_names(&field["type"], &mut Vec::new(), &mut field_names);
    Ok(Column {
        name,
        sql_type: noted.unwrap_or(kept),
        source_name,
        field_names,
    })
}

/// Adds what the source calls the fields of a type.
fn add_names(delta: &Value, path: &mut Vec<String>, names: &mut FieldNames) {
    let mut of = delta;
    while let Some(item) = of.get("elementType") {
        of = item;
    }
    for field in of["fields"].as_array().into_iter().flatten() {
        path.push(field["name"].as_str().unwrap_or_default().to_owned());
        if let Some(source_name) = field["metadata"][SOURCE_NAME].as_str() {
            names.insert(path.clone(), source_name.to_owned());
        }
        add_names(&field["type"], path, names);
        path.pop();
    }
}

fn sql_type(delta: &Value) -> Result<SqlType, String> {
    if let Some(name) = delta.as_str() {
        return primitive(name).ok_or_else(|| format!("the type `{name}`"));
    }
    let inner = |key: &str| sql_type(&delta[key]).map(Box::new);
    match delta["type"].as_str() {
        Some("array") => Ok(SqlType::List(inner("elementType")?)),
        Some("map") => Ok(SqlType::Map(inner("keyType")?, inner("valueType")?)),
        Some("struct") => {
            let fields = fields(delta)?.iter().map(|field| {
                let name = field["name"].as_str().ok_or("a field without a name")?;
                Ok((name.to_owned(), sql_type(&field["type"])?))
            });
            Ok(SqlType::Struct(fields.collect::<Result<_, String>>()?))
        }
        _ => Err("a type of a kind that is not known".to_owned()),
    }
}

fn primitive(name: &str) -> Option<SqlType> {
    Some(match name {
        "boolean" => SqlType::Boolean,
        "byte" => SqlType::TinyInt,
        "short" => SqlType::SmallInt,
        "integer" => SqlType::Integer,
        "long" => SqlType::BigInt,
        "float" => SqlType::Float,
        "double" => SqlType::Double,
        "string" => SqlType::Varchar(None),
        "binary" => SqlType::Blob,
        "date" => SqlType::Date,
        "timestamp" => SqlType::TimestampTz,
        decimal => {
            let (precision, scale) = decimal
                .strip_prefix("decimal(")?
                .strip_suffix(')')?
                .split_once(',')?;
            SqlType::Decimal(precision.trim().parse().ok()?, scale.trim().parse().ok()?)
        }
    })
}

/// Why rows that were written as `before` can't be read as `now`; `None` when they can.
///
/// A column may be new: older files lack it and its values are NULL. It may not go, nor change its
/// type, unless all files are written anew in the same change.
pub(crate) fn misfit(before: &Columns, now: &Columns) -> Option<String> {
    before.iter().find_map(|old| {
        let name = &old.name;
        let Some(new) = now.iter().find(|new| new.name == *name) else {
            return Some(format!("files that stay have a column `{name}`, which the change leaves out"));
        };
        // No file has values of it yet.
        if old.is_untyped() {
            return None;
        }
        let (stored, wanted) = (old.sql_type.lake_type(), new.sql_type.lake_type());
        // A column may come to be seen as what is stored; never as something narrower.
        let as_stored = wanted.as_ref().is_ok_and(|wanted| seen_as_stored(&new.sql_type, wanted));
        let fits = stored == wanted && (old.sql_type == new.sql_type || as_stored);
        (!fits).then(|| {
            format!("column `{name}` is {} in files that stay and {} in the change: write those files anew in the same change", old.sql_type, new.sql_type)
        })
    })
}

fn seen_as_stored(seen: &SqlType, stored: &SqlType) -> bool {
    // The length of a text is a promise of its contract, not of what is stored.
    seen == stored || matches!((seen, stored), (SqlType::Varchar(_), SqlType::Varchar(_)))
}

/// Why a Parquet file does not hold exactly these columns, as the lake keeps them; `None` when it does.
pub(crate) fn file_misfit(columns: &Columns, file: &Schema) -> Option<String> {
    if let Some(field) = file
        .fields()
        .iter()
        .find(|field| columns.iter().all(|column| column.name != *field.name()))
    {
        return Some(format!(
            "the file has a column `{}` that the change does not name",
            field.name()
        ));
    }
    columns.iter().find_map(|column| {
        let name = &column.name;
        let field = match (file.field_with_name(name), column.is_untyped()) {
            (Ok(field), false) => field,
            (Ok(_), true) => {
                return Some(format!(
                    "the file has the column `{name}`, which has no type yet"
                ));
            }
            (Err(_), true) => return None,
            (Err(_), false) => return Some(format!("the file has no column `{name}`")),
        };
        let expected = column.sql_type.lake_type().ok()?;
        match parquet_type(field) {
            Some(found) if found == expected => None,
            Some(found) => Some(format!(
                "column `{name}` is {found} in the file, where the lake keeps {expected}"
            )),
            None => Some(format!(
                "column `{name}` is {} in the file, which the lake does not keep",
                field.data_type()
            )),
        }
    })
}

fn parquet_type(field: &Field) -> Option<SqlType> {
    let inner = |field: &Field| parquet_type(field).map(Box::new);
    Some(match field.data_type() {
        DataType::Boolean => SqlType::Boolean,
        DataType::Int8 => SqlType::TinyInt,
        DataType::Int16 => SqlType::SmallInt,
        DataType::Int32 => SqlType::Integer,
        DataType::Int64 => SqlType::BigInt,
        DataType::Float32 => SqlType::Float,
        DataType::Float64 => SqlType::Double,
        DataType::Decimal128(precision, scale) => {
            SqlType::Decimal(*precision, u8::try_from(*scale).ok()?)
        }
        DataType::Utf8 => SqlType::Varchar(None),
        DataType::Binary => SqlType::Blob,
        DataType::Date32 => SqlType::Date,
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => SqlType::TimestampTz,
        DataType::List(item) => SqlType::List(inner(item)?),
        DataType::Struct(fields) => {
            let fields = fields
                .iter()
                .map(|field| Some((field.name().clone(), parquet_type(field)?)));
            SqlType::Struct(fields.collect::<Option<_>>()?)
        }
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(entry) if entry.len() == 2 => {
                SqlType::Map(inner(&entry[0])?, inner(&entry[1])?)
            }
            _ => return None,
        },
        _ => return None,
    })
}
