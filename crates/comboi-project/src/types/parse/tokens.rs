//! The text of a type, taken apart into words, names, numbers and signs.

use super::{Parsed, wrong};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A bare word, in lower case; with its own case beside it.
    Word(String, String),
    /// A name in double quotes.
    Name(String),
    /// A text in single quotes.
    Text(String),
    Number(String),
    Sign(char),
}

impl Token {
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Word(_, word) => format!("`{word}`"),
            Self::Name(name) => format!("`\"{name}\"`"),
            Self::Text(text) => format!("`'{text}'`"),
            Self::Number(digits) => format!("`{digits}`"),
            Self::Sign(sign) => format!("`{sign}`"),
        }
    }
}

/// The tokens of a text, and how far they have been read.
pub(super) struct Parser {
    tokens: Vec<Token>,
    next: usize,
}

impl Parser {
    pub(super) fn of(text: &str) -> Parsed<Self> {
        let tokens = tokens(text)?;
        Ok(Self { tokens, next: 0 })
    }

    pub(super) fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next)
    }

    pub(super) fn take(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.next).cloned();
        self.next += usize::from(token.is_some());
        token
    }

    pub(super) fn take_sign(&mut self, sign: char) -> bool {
        let found = self.peek() == Some(&Token::Sign(sign));
        self.next += usize::from(found);
        found
    }

    pub(super) fn take_word(&mut self, wanted: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(word, _)) if word == wanted);
        self.next += usize::from(found);
        found
    }

    pub(super) fn take_words(&mut self, wanted: &[&str]) -> bool {
        let start = self.next;
        let found = wanted.iter().all(|word| self.take_word(word));
        if !found {
            self.next = start;
        }
        found
    }

    pub(super) fn expect_sign(&mut self, sign: char) -> Parsed<()> {
        if self.take_sign(sign) {
            return Ok(());
        }
        Err(wrong(match self.peek() {
            None => format!("`{sign}` is missing at the end"),
            Some(other) => format!("`{sign}` is missing before {}", other.shown()),
        }))
    }

    pub(super) fn number(&mut self) -> Parsed<u32> {
        match self.take() {
            Some(Token::Number(digits)) => digits
                .parse()
                .map_err(|_too_long| wrong(format!("`{digits}` is too large"))),
            Some(other) => Err(wrong(format!(
                "a number is missing before {}",
                other.shown()
            ))),
            None => Err(wrong("a number is missing at the end")),
        }
    }
}

fn tokens(text: &str) -> Parsed<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(&c) = chars.peek() {
        if c.is_whitespace() {
            chars.next();
        } else if c == '"' || c == '\'' {
            chars.next();
            let quoted = until_quote(&mut chars, c)?;
            tokens.push(if c == '"' {
                Token::Name(quoted)
            } else {
                Token::Text(quoted)
            });
        } else if c.is_ascii_digit() {
            tokens.push(Token::Number(take_while(&mut chars, |c| {
                c.is_ascii_digit()
            })));
        } else if c.is_alphabetic() || c == '_' {
            let word = take_while(&mut chars, |c| c.is_alphanumeric() || c == '_' || c == '$');
            tokens.push(Token::Word(word.to_ascii_lowercase(), word));
        } else if "()[],".contains(c) {
            chars.next();
            tokens.push(Token::Sign(c));
        } else {
            return Err(wrong(format!("`{c}` has no place in a type")));
        }
    }
    Ok(tokens)
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

fn take_while(chars: &mut Chars<'_>, belongs: impl Fn(char) -> bool) -> String {
    let mut text = String::new();
    while let Some(c) = chars.next_if(|&c| belongs(c)) {
        text.push(c);
    }
    text
}

/// The text up to the closing quote; two quotes stand for one.
fn until_quote(chars: &mut Chars<'_>, quote: char) -> Parsed<String> {
    let mut text = String::new();
    while let Some(c) = chars.next() {
        if c != quote {
            text.push(c);
        } else if chars.next_if_eq(&quote).is_some() {
            text.push(quote);
        } else {
            return Ok(text);
        }
    }
    Err(wrong(format!("a quote {quote} is not closed")))
}
