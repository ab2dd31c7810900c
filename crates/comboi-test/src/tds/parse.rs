//! The T-SQL that comboi writes, read. Anything else is not understood, which the server says as an error.

/// An expression or a condition.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expression {
    Text(String),
    Number(i64),
    Null,
    Column(String),
    /// `q.*`
    Everything,
    /// `CONVERT(type, it, style)`, and `CAST(it AS type)` with no style.
    Convert(String, Box<Expression>, i64),
    /// `MAX`, `MIN`, `COUNT_BIG(*)`: the name and what it is taken of.
    Aggregate(String, Box<Expression>),
    /// `DATEADD(unit, number, it)`
    DateAdd(String, Box<Expression>, Box<Expression>),
    /// `CASE WHEN condition THEN it ELSE other END`
    Case(Box<Expression>, Box<Expression>, Box<Expression>),
    /// `(SELECT MAX(v) FROM (VALUES (a), (b)) AS x (v))`
    Greatest(Vec<Expression>),
    Minus(Box<Expression>, Box<Expression>),
    Compare(String, Box<Expression>, Box<Expression>),
    IsNull(Box<Expression>, bool),
    And(Vec<Expression>),
    Or(Vec<Expression>),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum From {
    Nothing,
    Table(Vec<String>),
    Query(Box<Select>),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Select {
    pub(super) top: Option<usize>,
    /// With their names, where they have one.
    pub(super) values: Vec<(Expression, Option<String>)>,
    pub(super) from: From,
    pub(super) condition: Option<Expression>,
    /// With whether it goes down.
    pub(super) order: Vec<(Expression, bool)>,
}

/// Reads a statement.
pub(super) fn select(sql: &str) -> Result<Select, String> {
    let mut parser = Parser {
        tokens: tokens(sql)?,
        at: 0,
    };
    let select = parser.select()?;
    if parser.at < parser.tokens.len() {
        return Err(format!("{:?} after the end", parser.tokens.get(parser.at)));
    }
    Ok(select)
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Name(String),
    Text(String),
    Number(i64),
    Sign(String),
}

fn tokens(sql: &str) -> Result<Vec<Token>, String> {
    let chars: Vec<char> = sql.chars().collect();
    let mut found = Vec::new();
    let mut at = 0;
    // A doubled end stands for itself.
    let quoted = |mut at: usize, end: char| -> Result<(String, usize), String> {
        let mut text = String::new();
        loop {
            match (chars.get(at), chars.get(at + 1)) {
                (Some(c), Some(next)) if *c == end && *next == end => {
                    text.push(end);
                    at += 2;
                }
                (Some(c), _) if *c == end => return Ok((text, at + 1)),
                (Some(c), _) => {
                    text.push(*c);
                    at += 1;
                }
                (None, _) => return Err("a text without an end".into()),
            }
        }
    };
    while let Some(&c) = chars.get(at) {
        let next = chars.get(at + 1).copied().unwrap_or(' ');
        let mut take = |is_in: fn(char) -> bool| -> String {
            let begin = at;
            while chars.get(at).is_some_and(|c| is_in(*c)) {
                at += 1;
            }
            chars[begin..at].iter().collect()
        };
        match c {
            c if c.is_whitespace() => at += 1,
            '-' if next == '-' => {
                while chars.get(at).is_some_and(|c| *c != '\n') {
                    at += 1;
                }
            }
            '\'' => {
                let (text, end) = quoted(at + 1, '\'')?;
                found.push(Token::Text(text));
                at = end;
            }
            'N' if next == '\'' => {
                let (text, end) = quoted(at + 2, '\'')?;
                found.push(Token::Text(text));
                at = end;
            }
            '[' => {
                let (text, end) = quoted(at + 1, ']')?;
                found.push(Token::Name(text));
                at = end;
            }
            c if c.is_ascii_digit() => {
                let digits = take(|c| c.is_ascii_digit());
                found.push(Token::Number(
                    digits.parse().map_err(|_| format!("the number {digits}"))?,
                ));
            }
            c if c.is_alphabetic() || c == '_' => {
                found.push(Token::Word(take(|c| c.is_alphanumeric() || c == '_')));
            }
            '<' | '>' => {
                let sign: String = if next == '=' || (c == '<' && next == '>') {
                    [c, next].iter().collect()
                } else {
                    c.into()
                };
                at += sign.len();
                found.push(Token::Sign(sign));
            }
            c => {
                found.push(Token::Sign(c.into()));
                at += 1;
            }
        }
    }
    Ok(found)
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    fn is(&self, text: &str) -> bool {
        match self.tokens.get(self.at) {
            Some(Token::Word(word)) => word.eq_ignore_ascii_case(text),
            Some(Token::Sign(sign)) => sign == text,
            _ => false,
        }
    }

    fn took(&mut self, text: &str) -> bool {
        let is = self.is(text);
        self.at += usize::from(is);
        is
    }

    fn need(&mut self, text: &str) -> Result<(), String> {
        if self.took(text) {
            Ok(())
        } else {
            Err(format!("no {text} but {:?}", self.tokens.get(self.at)))
        }
    }

    fn name(&mut self) -> Result<String, String> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        match token {
            Some(Token::Word(name) | Token::Name(name)) => Ok(name),
            other => Err(format!("no name but {other:?}")),
        }
    }

    fn number(&mut self) -> Result<i64, String> {
        let minus = self.took("-");
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        match token {
            Some(Token::Number(number)) => Ok(if minus { -number } else { number }),
            other => Err(format!("no number but {other:?}")),
        }
    }

    fn select(&mut self) -> Result<Select, String> {
        self.need("SELECT")?;
        let mut top = None;
        if self.took("TOP") {
            self.need("(")?;
            top = usize::try_from(self.number()?).ok();
            self.need(")")?;
        }
        let mut values = Vec::new();
        loop {
            let value = self.expression()?;
            let name = if self.took("AS") {
                Some(self.name()?)
            } else {
                None
            };
            values.push((value, name));
            if !self.took(",") {
                break;
            }
        }
        let from = if self.took("FROM") {
            self.from()?
        } else {
            From::Nothing
        };
        let condition = if self.took("WHERE") {
            Some(self.condition()?)
        } else {
            None
        };
        let mut order = Vec::new();
        if self.took("ORDER") {
            self.need("BY")?;
            loop {
                let by = self.expression()?;
                order.push((by, self.took("DESC")));
                if !self.took(",") {
                    break;
                }
            }
            if self.took("OFFSET") {
                self.number()?;
                self.need("ROWS")?;
            }
        }
        Ok(Select {
            top,
            values,
            from,
            condition,
            order,
        })
    }

    fn from(&mut self) -> Result<From, String> {
        let from = if self.took("(") {
            let query = self.select()?;
            self.need(")")?;
            From::Query(Box::new(query))
        } else {
            let mut parts = vec![self.name()?];
            while self.took(".") {
                parts.push(self.name()?);
            }
            From::Table(parts)
        };
        if self.took("AS") {
            self.name()?;
        }
        Ok(from)
    }

    fn condition(&mut self) -> Result<Expression, String> {
        let mut any = vec![self.all()?];
        while self.took("OR") {
            any.push(self.all()?);
        }
        Ok(if any.len() == 1 {
            any.remove(0)
        } else {
            Expression::Or(any)
        })
    }

    fn all(&mut self) -> Result<Expression, String> {
        let mut all = vec![self.comparison()?];
        while self.took("AND") {
            all.push(self.comparison()?);
        }
        Ok(if all.len() == 1 {
            all.remove(0)
        } else {
            Expression::And(all)
        })
    }

    fn comparison(&mut self) -> Result<Expression, String> {
        if self.took("(") {
            let inner = self.condition()?;
            self.need(")")?;
            return Ok(inner);
        }
        let left = self.expression()?;
        if self.took("IS") {
            let not = self.took("NOT");
            self.need("NULL")?;
            return Ok(Expression::IsNull(Box::new(left), !not));
        }
        for sign in [">=", "<=", "<>", "=", "<", ">"] {
            if self.took(sign) {
                return Ok(Expression::Compare(
                    sign.into(),
                    Box::new(left),
                    Box::new(self.expression()?),
                ));
            }
        }
        Err(format!("no comparison but {:?}", self.tokens.get(self.at)))
    }

    fn expression(&mut self) -> Result<Expression, String> {
        let left = self.primary()?;
        if self.took("-") {
            return Ok(Expression::Minus(Box::new(left), Box::new(self.primary()?)));
        }
        Ok(left)
    }

    /// `datetime2(7)`
    fn type_name(&mut self) -> Result<String, String> {
        let mut name = self.name()?;
        if self.took("(") {
            name.push('(');
            while !self.took(")") {
                match self.tokens.get(self.at).cloned() {
                    Some(Token::Number(number)) => name.push_str(&number.to_string()),
                    Some(Token::Word(word) | Token::Sign(word)) => name.push_str(&word),
                    other => return Err(format!("{other:?} in a type")),
                }
                self.at += 1;
            }
            name.push(')');
        }
        Ok(name)
    }

    fn primary(&mut self) -> Result<Expression, String> {
        if let Some(Token::Text(text)) = self.tokens.get(self.at).cloned() {
            self.at += 1;
            return Ok(Expression::Text(text));
        }
        if matches!(self.tokens.get(self.at), Some(Token::Number(_))) || self.is("-") {
            return self.number().map(Expression::Number);
        }
        if self.took("(") {
            return self.greatest();
        }
        if self.took("NULL") {
            return Ok(Expression::Null);
        }
        if self.took("CASE") {
            self.need("WHEN")?;
            let condition = self.condition()?;
            self.need("THEN")?;
            let then = self.expression()?;
            self.need("ELSE")?;
            let other = self.expression()?;
            self.need("END")?;
            return Ok(Expression::Case(
                Box::new(condition),
                Box::new(then),
                Box::new(other),
            ));
        }
        let is_bracketed = matches!(self.tokens.get(self.at), Some(Token::Name(_)));
        let name = self.name()?;
        if !is_bracketed && self.took("(") {
            return self.call(&name);
        }
        if self.took(".") {
            if self.took("*") {
                return Ok(Expression::Everything);
            }
            return self.name().map(Expression::Column);
        }
        Ok(Expression::Column(name))
    }

    fn call(&mut self, name: &str) -> Result<Expression, String> {
        let call = match name.to_ascii_uppercase().as_str() {
            "CONVERT" => {
                let of = self.type_name()?;
                self.need(",")?;
                let value = self.expression()?;
                let style = if self.took(",") { self.number()? } else { 0 };
                Expression::Convert(of, Box::new(value), style)
            }
            "CAST" => {
                let value = self.expression()?;
                self.need("AS")?;
                Expression::Convert(self.type_name()?, Box::new(value), 0)
            }
            "MAX" | "MIN" => Expression::Aggregate(name.into(), Box::new(self.expression()?)),
            "COUNT_BIG" => {
                self.need("*")?;
                Expression::Aggregate(name.into(), Box::new(Expression::Null))
            }
            "DATEADD" => {
                let unit = self.name()?;
                self.need(",")?;
                let number = self.expression()?;
                self.need(",")?;
                Expression::DateAdd(unit, Box::new(number), Box::new(self.expression()?))
            }
            other => return Err(format!("the function {other}")),
        };
        self.need(")")?;
        Ok(call)
    }

    /// Behind its first parenthesis.
    fn greatest(&mut self) -> Result<Expression, String> {
        for word in ["SELECT", "MAX", "(", "v", ")", "FROM", "(", "VALUES"] {
            self.need(word)?;
        }
        let mut values = Vec::new();
        loop {
            self.need("(")?;
            values.push(self.expression()?);
            self.need(")")?;
            if !self.took(",") {
                break;
            }
        }
        for word in [")", "AS", "x", "(", "v", ")", ")"] {
            self.need(word)?;
        }
        Ok(Expression::Greatest(values))
    }
}
