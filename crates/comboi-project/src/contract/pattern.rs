//! Regular expressions, held against the syntax that DuckDB's RE2 knows.

use regex_syntax::ast::parse::ParserBuilder;
use regex_syntax::ast::{self, Ast, Flag, FlagsItemKind, RepetitionKind, RepetitionRange, Visitor};

/// What is wrong with a regular expression, if anything is.
pub(super) fn not_a_pattern(pattern: &str) -> Option<String> {
    // RE2 knows `\Q…\E` and `\C`, the parser does not: DuckDB will judge them.
    if pattern.contains(r"\Q") || pattern.contains(r"\C") {
        return None;
    }
    match ParserBuilder::new().nest_limit(200).build().parse(pattern) {
        Err(error) => Some(format!(
            "`{pattern}` is not a regular expression: {}",
            error.kind()
        )),
        Ok(ast) => ast::visit(&ast, OnlyRe2)
            .err()
            .map(|reason| format!("`{pattern}` is not a regular expression for DuckDB: {reason}")),
    }
}

/// Looks for what `regex-syntax` knows and RE2 does not.
struct OnlyRe2;

impl Visitor for OnlyRe2 {
    type Output = ();
    type Err = &'static str;

    fn finish(self) -> Result<(), Self::Err> {
        Ok(())
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), Self::Err> {
        match ast {
            Ast::Repetition(repetition) => match &repetition.op.kind {
                RepetitionKind::Range(
                    RepetitionRange::Exactly(n)
                    | RepetitionRange::AtLeast(n)
                    | RepetitionRange::Bounded(_, n),
                ) if *n > 1000 => Err("it repeats something more than 1000 times"),
                _ => Ok(()),
            },
            Ast::Flags(flags) => known(&flags.flags),
            Ast::Group(group) => group.flags().map_or(Ok(()), known),
            _ => Ok(()),
        }
    }
}

fn known(flags: &ast::Flags) -> Result<(), &'static str> {
    let strange = |item: &ast::FlagsItem| {
        matches!(
            item.kind,
            FlagsItemKind::Flag(Flag::CRLF | Flag::IgnoreWhitespace | Flag::Unicode)
        )
    };
    if flags.items.iter().any(strange) {
        Err("its only flags are `i`, `m`, `s` and `U`")
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::not_a_pattern;

    #[test]
    fn what_re2_knows_is_a_pattern() {
        for good in [
            r"^[^@\s]+@[^@\s]+\.[a-z]{2,}$",
            "(?i)abc",
            r"(?P<year>\d{4})",
            r"\p{Greek}+",
            "",
            r"\Qa.b\E",
            "é",
        ] {
            assert_eq!(not_a_pattern(good), None, "{good}");
        }
    }

    #[test]
    fn what_it_does_not_know_is_said() {
        let check = |pattern: &str, expected: &str| {
            assert_eq!(not_a_pattern(pattern).as_deref(), Some(expected));
        };
        check(
            "[a-z",
            "`[a-z` is not a regular expression: unclosed character class",
        );
        check(
            r"(?=x)",
            "`(?=x)` is not a regular expression: look-around, including look-ahead and look-behind, is not supported",
        );
        check(
            r"(a)\1",
            r"`(a)\1` is not a regular expression: backreferences are not supported",
        );
        check(
            "a{1001}",
            "`a{1001}` is not a regular expression for DuckDB: it repeats something more than 1000 times",
        );
        check(
            "(?x)a b",
            "`(?x)a b` is not a regular expression for DuckDB: its only flags are `i`, `m`, `s` and `U`",
        );
    }
}
