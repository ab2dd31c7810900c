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
        // From here to the first `}}`: each character is looked at once, however many braces there are.
        let Some((inside, after)) = after.split_once("}}") else {
            if let Some((kind @ ("env" | "keyvault"), _)) = kind_and_name(after) {
                let problem = Problem::at(place, format!("`{{{{{kind}:` is not closed"));
                problems.push(problem.hint(format!("write {{{{{kind}:NAME}}}}")));
            }
            break;
        };
        push_text(&mut parts, text);
        let (outer, inside) = match inside.rsplit_once("{{") {
            Some((outer, inside)) => (Some(outer), inside),
            None => (None, inside),
        };
        if let Some(outer) = outer {
            if kind_and_name(outer).is_some() {
                let problem = Problem::at(place, "a placeholder can't stand inside another one");
                problems.push(problem.hint("write the default out"));
            }
            push_text(&mut parts, "{{");
            push_text(&mut parts, outer);
        }
        match kind_and_name(inside) {
            Some((kind, name)) => {
                placeholders += 1;
                match part(kind, name, env) {
                    Ok(Part::Text(text)) => push_text(&mut parts, &text),
                    Ok(secret) => parts.push(secret),
                    Err((message, hint)) => {
                        problems.push(Problem::at(place, message).hint(hint));
                    }
                }
            }
            None if let Some((kind, name)) = misspelt(inside) => {
                let message = format!("`{{{{{kind} …}}}}` is not a placeholder: it has no colon");
                problems
                    .push(Problem::at(place, message).hint(format!("write {{{{{kind}:{name}}}}}")));
            }
            // Braces that are nobody's placeholder: a part of the text.
            None => ["{{", inside, "}}"]
                .iter()
                .for_each(|text| push_text(&mut parts, text)),
        }
        rest = after;
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

/// `env` and `NAME` of `env NAME`, `env.NAME` and `env("NAME")`.
fn misspelt(inside: &str) -> Option<(&str, &str)> {
    let inside = inside.trim();
    let end = inside.find(|c: char| !c.is_ascii_alphabetic())?;
    let (kind, name) = inside.split_at_checked(end)?;
    let name = name.trim_matches(|c: char| !(c.is_ascii_alphanumeric() || "_-".contains(c)));
    (["env", "keyvault"].contains(&kind) && !name.is_empty()).then_some((kind, name))
}

/// Reports values below a node that are written for a shell: `${NAME}`. Nothing fills them in.
pub(crate) fn report_shell_variables(node: &Node, problems: &mut Vec<Problem>) {
    match &node.value {
        Value::Sequence(items) => {
            items
                .iter()
                .for_each(|item| report_shell_variables(item, problems));
        }
        Value::Mapping(entries) => {
            entries
                .iter()
                .for_each(|(_, value)| report_shell_variables(value, problems));
        }
        Value::Scalar(scalar) => {
            if let Some(name) = shell_variable(&scalar.written) {
                let message = format!("`${{{name}}}` is not a placeholder");
                problems.push(Problem::at(&node.place, message).hint(format!(
                    "write {{{{env:{name}}}}}; a value that has these characters may come from a variable or a key vault"
                )));
            }
        }
        Value::Reported => {}
    }
}

fn shell_variable(text: &str) -> Option<&str> {
    let mut after = text.split("${").skip(1);
    after.find_map(|after| {
        let (name, _) = after.split_once('}')?;
        let name = name.split([':', '-']).next().unwrap_or(name);
        let word = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        word.then_some(name)
    })
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
