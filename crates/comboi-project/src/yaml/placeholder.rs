//! `{{env:NAME}}`, `{{env:NAME|default}}` and `{{keyvault:name}}` inside values.

use super::{Node, Scalar, Value};
use crate::setting::{Part, SecretName};
use crate::{Place, Problem, suggest};

/// Answers what an environment variable says, if it is set.
pub(crate) type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Fills in the environment's placeholders in every value below a node, and marks the secrets.
pub(crate) fn fill_in(node: &mut Node, env: Env<'_>, problems: &mut Vec<Problem>) {
    match &mut node.value {
        Value::Sequence(items) => items
            .iter_mut()
            .for_each(|item| fill_in(item, env, problems)),
        Value::Mapping(entries) => entries
            .iter_mut()
            .for_each(|(_, value)| fill_in(value, env, problems)),
        Value::Scalar(scalar) if scalar.written.contains("{{") => {
            if !fill_in_scalar(scalar, &node.place, env, problems) {
                node.value = Value::Reported;
            }
        }
        Value::Scalar(_) | Value::Reported => {}
    }
}

/// False when something in it was reported.
fn fill_in_scalar(
    scalar: &mut Scalar,
    place: &Place,
    env: Env<'_>,
    problems: &mut Vec<Problem>,
) -> bool {
    let before = problems.len();
    let mut parts = Vec::new();
    let mut placeholders = 0;
    let mut rest = scalar.written.as_str();
    while let Some((text, after)) = rest.split_once("{{") {
        push_text(&mut parts, text);
        match after
            .split_once("}}")
            .and_then(|(inside, after)| Some((kind_and_name(inside)?, after)))
        {
            Some(((kind, name), after)) => {
                placeholders += 1;
                match part(kind, name, env) {
                    Ok(Part::Text(text)) => push_text(&mut parts, &text),
                    Ok(secret) => parts.push(secret),
                    Err((message, hint)) => problems.push(Problem::at(place, message).hint(hint)),
                }
                rest = after;
            }
            // Braces that are nobody's placeholder: a part of the text.
            None => {
                push_text(&mut parts, "{{");
                rest = after;
            }
        }
    }
    push_text(&mut parts, rest);
    if placeholders > 0 {
        scalar.filled = Some(parts);
    }
    problems.len() == before
}

/// Texts next to each other become one.
fn push_text(parts: &mut Vec<Part>, text: &str) {
    match parts.last_mut() {
        Some(Part::Text(last)) => last.push_str(text),
        _ if text.is_empty() => {}
        _ => parts.push(Part::Text(text.to_owned())),
    }
}

/// `env` and `NAME` of `env:NAME`; None when the braces hold something else.
fn kind_and_name(inside: &str) -> Option<(&str, &str)> {
    let (kind, name) = inside.split_once(':')?;
    let kind = kind.trim();
    let word = !kind.is_empty()
        && kind
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
    word.then(|| (kind, name.trim()))
}

fn part(kind: &str, name: &str, env: Env<'_>) -> Result<Part, (String, String)> {
    match kind {
        "env" => variable(name, env).map(Part::Text),
        "keyvault" => match name.parse::<SecretName>() {
            Ok(name) => Ok(Part::Secret(name)),
            Err(bad) => Err((
                bad.to_string(),
                "a secret's name has letters, digits and `-`".to_owned(),
            )),
        },
        _ => {
            let meant = suggest::nearest(kind, ["env", "keyvault"]).unwrap_or("env");
            Err((
                format!("there is no placeholder `{{{{{kind}:…}}}}`"),
                format!("did you mean `{{{{{meant}:{name}}}}}`?"),
            ))
        }
    }
}

fn variable(text: &str, env: Env<'_>) -> Result<String, (String, String)> {
    let (name, default) = match text.split_once('|') {
        Some((name, default)) => (name.trim(), Some(default)),
        None => (text, None),
    };
    if name.is_empty() || name.contains(['=', '\0']) {
        return Err((
            format!("`{name}` is not the name of an environment variable"),
            "write {{env:NAME}} or {{env:NAME|default}}".to_owned(),
        ));
    }
    env(name)
        .or_else(|| default.map(str::to_owned))
        .ok_or_else(|| {
            (
                format!("the environment variable `{name}` is not set"),
                format!("set it, write it to `.env`, or give a default: {{{{env:{name}|…}}}}"),
            )
        })
}
