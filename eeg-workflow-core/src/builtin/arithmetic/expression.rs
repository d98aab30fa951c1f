//! Expressions in x as Python users write them, compiled and evaluated, never run as code.

use super::function::{self, Function};

/// A longer text is refused.
const MAX_LENGTH: usize = 10_000;
/// Parentheses, signs and powers nested deeper are refused, as by Python.
const MAX_DEPTH: usize = 200;
/// How many points are computed at once: a stack of such rows stays in the cache.
const CHUNK: usize = 256;

/// An expression in `x`, ready to be evaluated.
///
/// It has Python's numbers, `+ - * / // % **` with Python's precedence, parentheses, the
/// constants `pi e tau inf nan euler_gamma` and the functions of floats that NumPy and `math`
/// have (`sin`, `arctan2`, `log10`, `sqrt`, `round`, `maximum`, …), with `np.`, `numpy.` or
/// `math.` in front or without. All is computed in floats; what has no value there (`0/0`, the
/// square root of -1) is NaN, as in NumPy.
///
/// ```
/// use eeg_workflow_core::builtin::arithmetic::Expression;
/// let expression = Expression::parse("-x**2 + np.cos(0)")?;
/// assert_eq!(expression.evaluate(&[0.0, 3.0]), [1.0, -8.0]);
/// assert!(Expression::parse("__import__('os')").is_err());
/// # Ok::<(), eeg_workflow_core::builtin::arithmetic::ExpressionError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Expression {
    /// In the order of evaluation: each step takes its operands from a stack.
    steps: Vec<Step>,
    /// How high the stack grows.
    height: usize,
}

/// Why a string is not an expression in x. Columns count characters from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExpressionError {
    /// The text is too long.
    #[error("the expression has {length} bytes (at most {limit})")]
    TooLong {
        /// Its bytes.
        length: usize,
        /// How many it may have.
        limit: usize,
    },
    /// Too many parentheses, signs or powers inside each other.
    #[error("nested more than {limit} deep at column {column}")]
    TooDeep {
        /// How deep it may be.
        limit: usize,
        /// Where it is deeper.
        column: usize,
    },
    /// Something that may not stand where it does.
    #[error("unexpected \"{token}\" at column {column}")]
    Unexpected {
        /// What stands there.
        token: String,
        /// Where.
        column: usize,
    },
    /// The text ends where an operand or a parenthesis is missing.
    #[error("unexpected end at column {column}")]
    UnexpectedEnd {
        /// One past the last.
        column: usize,
    },
    /// A name that stands for nothing here.
    #[error("unknown name \"{name}\" at column {column}")]
    UnknownName {
        /// The name.
        name: String,
        /// Where it begins.
        column: usize,
    },
    /// A function's name without its arguments.
    #[error("\"{name}\" at column {column} is a function: write {name}(…)")]
    NotCalled {
        /// The function.
        name: String,
        /// Where it begins.
        column: usize,
    },
    /// A call of something that is not a function.
    #[error("\"{name}\" at column {column} is not a function")]
    NotAFunction {
        /// What is called.
        name: String,
        /// Where it begins.
        column: usize,
    },
    /// A function was given a wrong number of arguments.
    #[error("\"{name}\" at column {column} does not take {count} arguments")]
    Arguments {
        /// The function.
        name: String,
        /// Where it begins.
        column: usize,
        /// How many it was given.
        count: usize,
    },
}

#[derive(Clone, Copy, Debug)]
enum Step {
    X,
    Number(f64),
    /// Replaces the top.
    Unary(fn(f64) -> f64),
    /// Replaces the two at the top.
    Binary(fn(f64, f64) -> f64),
}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// The first thing that is wrong, and its column.
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        if text.len() > MAX_LENGTH {
            return Err(ExpressionError::TooLong { length: text.len(), limit: MAX_LENGTH });
        }
        let mut parser = Parser { rest: text, column: 1, depth: 0, steps: Vec::new() };
        parser.sum()?;
        parser.skip_space();
        if !parser.rest.is_empty() {
            return Err(parser.unexpected());
        }
        let steps = parser.steps;
        let (mut now, mut height) = (0, 0);
        for step in &steps {
            match step {
                Step::X | Step::Number(_) => now += 1,
                Step::Unary(_) => {}
                Step::Binary(_) => now -= 1,
            }
            height = height.max(now);
        }
        Ok(Self { steps, height })
    }

    /// Its value at each `x`.
    pub fn evaluate(&self, x: &[f64]) -> Vec<f64> {
        let mut stack = vec![[0.0; CHUNK]; self.height];
        let mut values = Vec::with_capacity(x.len());
        for x in x.chunks(CHUNK) {
            self.evaluate_chunk(x, &mut stack);
            values.extend(stack.iter().flatten().take(x.len()));
        }
        values
    }

    /// Leaves the values in the stack's first row.
    fn evaluate_chunk(&self, x: &[f64], stack: &mut [[f64; CHUNK]]) {
        let mut height = 0;
        for step in &self.steps {
            // Rows below the height hold operands.
            let (operands, free) = stack.split_at_mut(height);
            match (step, operands, free) {
                (Step::X, _, [row, ..]) => {
                    row.iter_mut().zip(x).for_each(|(to, x)| *to = *x);
                    height += 1;
                }
                (Step::Number(number), _, [row, ..]) => {
                    row.fill(*number);
                    height += 1;
                }
                (Step::Unary(apply), [.., row], _) => {
                    row.iter_mut().take(x.len()).for_each(|a| *a = apply(*a));
                }
                (Step::Binary(apply), [.., left, right], _) => {
                    let rows = left.iter_mut().zip(right).take(x.len());
                    rows.for_each(|(a, b)| *a = apply(*a, *b));
                    height -= 1;
                }
                // The parser emits a step after its operands only.
                _ => {}
            }
        }
    }
}

/// A parser by recursive descent over Python's grammar of arithmetic; it emits steps.
struct Parser<'a> {
    rest: &'a str,
    column: usize,
    depth: usize,
    steps: Vec<Step>,
}

type Parsed = Result<(), ExpressionError>;

impl<'a> Parser<'a> {
    /// product (("+" | "-") product)*
    fn sum(&mut self) -> Parsed {
        self.product()?;
        loop {
            let apply: fn(f64, f64) -> f64 = if self.eat("+") {
                |a, b| a + b
            } else if self.eat("-") {
                |a, b| a - b
            } else {
                return Ok(());
            };
            self.product()?;
            self.steps.push(Step::Binary(apply));
        }
    }

    /// factor (("*" | "/" | "//" | "%") factor)*
    fn product(&mut self) -> Parsed {
        self.factor()?;
        loop {
            // No "**" is here: a factor has taken it.
            let apply: fn(f64, f64) -> f64 = if self.eat("*") {
                |a, b| a * b
            } else if self.eat("//") {
                function::floor_divide
            } else if self.eat("/") {
                |a, b| a / b
            } else if self.eat("%") {
                function::modulo
            } else {
                return Ok(());
            };
            self.factor()?;
            self.steps.push(Step::Binary(apply));
        }
    }

    /// ("+" | "-") factor, or operand ("**" factor)?
    fn factor(&mut self) -> Parsed {
        self.deeper(|parser| {
            if parser.eat("+") {
                return parser.factor();
            }
            if parser.eat("-") {
                parser.factor()?;
                parser.steps.push(Step::Unary(|a| -a));
                return Ok(());
            }
            parser.operand()?;
            if parser.eat("**") {
                parser.factor()?;
                parser.steps.push(Step::Binary(f64::powf));
            }
            Ok(())
        })
    }

    /// number, name, name "(" arguments ")", or "(" sum ")"
    fn operand(&mut self) -> Parsed {
        if self.eat("(") {
            self.sum()?;
            return self.expect(")");
        }
        self.skip_space();
        let digit = |c: char| c.is_ascii_digit();
        let after_point = self.rest.strip_prefix('.').unwrap_or(self.rest);
        if after_point.starts_with(digit) {
            return self.number();
        }
        if self.rest.starts_with(is_name_start) { self.name() } else { Err(self.unexpected()) }
    }

    /// digits with single underscores between them, a fraction, an exponent
    fn number(&mut self) -> Parsed {
        let column = self.column;
        let mut token = self.take_digits();
        if self.rest.starts_with('.') {
            token.push_str(self.take(1));
            token.push_str(&self.take_digits());
        }
        let exponent = self.rest.strip_prefix(['e', 'E']);
        let digits = exponent.map(|text| text.strip_prefix(['+', '-']).unwrap_or(text));
        if digits.is_some_and(|digits| digits.starts_with(|c: char| c.is_ascii_digit())) {
            token.push_str(self.take(1));
            if self.rest.starts_with(['+', '-']) {
                token.push_str(self.take(1));
            }
            token.push_str(&self.take_digits());
        }
        // What follows belongs to no number: 2x, 1__0, 1.2.3, 0x10, 3j.
        if self.rest.starts_with(|c: char| c == '.' || is_name(c)) {
            return Err(self.unexpected());
        }
        let number = token.parse().map_err(|_| ExpressionError::Unexpected { token, column })?;
        self.steps.push(Step::Number(number));
        Ok(())
    }

    fn take_digits(&mut self) -> String {
        let mut digits = String::new();
        loop {
            let end = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len());
            digits.push_str(self.take(end));
            let mut next = self.rest.chars();
            let joined =
                next.next() == Some('_') && next.next().is_some_and(|c| c.is_ascii_digit());
            if digits.is_empty() || !joined {
                return digits;
            }
            self.take(1);
        }
    }

    fn name(&mut self) -> Parsed {
        let column = self.column;
        let end = self.rest.find(|c: char| c != '.' && !is_name(c)).unwrap_or(self.rest.len());
        let written = self.take(end).to_owned();
        let prefix = ["np.", "numpy.", "math."].into_iter().find(|p| written.starts_with(p));
        let name = written.get(prefix.map_or(0, str::len)..).unwrap_or_default();
        let functions = function::functions(name);
        let value = match function::constant(name) {
            _ if written == "x" => Some(Step::X),
            constant => constant.map(Step::Number),
        };

        if !self.eat("(") {
            self.steps.push(value.ok_or_else(|| {
                let name = written.clone();
                if functions.is_empty() {
                    ExpressionError::UnknownName { name, column }
                } else {
                    ExpressionError::NotCalled { name, column }
                }
            })?);
            return Ok(());
        }
        if value.is_some() {
            return Err(ExpressionError::NotAFunction { name: written, column });
        }
        if functions.is_empty() {
            return Err(ExpressionError::UnknownName { name: written, column });
        }
        // The steps that join several arguments stand between them, so that the stack stays low.
        let fold = functions.iter().find_map(|function| match function {
            Function::Fold(apply) => Some(Step::Binary(*apply)),
            _ => None,
        });
        let mut count = 0;
        while !self.eat(")") {
            if count > 0 {
                self.expect(",")?;
                // A comma may be last.
                if self.eat(")") {
                    break;
                }
            }
            self.sum()?;
            count += 1;
            self.steps.extend(fold.filter(|_| count > 1));
        }
        let function = functions.iter().find(|function| function.takes(count));
        match function {
            Some(Function::Unary(apply)) => self.steps.push(Step::Unary(*apply)),
            Some(Function::Binary(apply)) => self.steps.push(Step::Binary(*apply)),
            Some(Function::Fold(_)) => {}
            None => return Err(ExpressionError::Arguments { name: written, column, count }),
        }
        Ok(())
    }

    fn deeper(&mut self, parse: impl FnOnce(&mut Self) -> Parsed) -> Parsed {
        if self.depth == MAX_DEPTH {
            return Err(ExpressionError::TooDeep { limit: MAX_DEPTH, column: self.column });
        }
        self.depth += 1;
        parse(self)?;
        self.depth -= 1;
        Ok(())
    }

    fn skip_space(&mut self) {
        let space = self.rest.len() - self.rest.trim_start().len();
        self.take(space);
    }

    /// Takes this token if it comes next.
    fn eat(&mut self, token: &str) -> bool {
        self.skip_space();
        let found = self.rest.starts_with(token);
        if found {
            self.take(token.len());
        }
        found
    }

    fn expect(&mut self, token: &str) -> Parsed {
        if self.eat(token) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.column += taken.chars().count();
        self.rest = rest;
        taken
    }

    /// The error at what comes next: a whole name or number, or else one character.
    fn unexpected(&self) -> ExpressionError {
        let column = self.column;
        let Some(first) = self.rest.chars().next() else {
            return ExpressionError::UnexpectedEnd { column };
        };
        let end = self.rest.find(|c| !is_name(c)).unwrap_or(self.rest.len());
        let end = end.max(first.len_utf8());
        let token = self.rest.get(..end).unwrap_or_default();
        ExpressionError::Unexpected { token: token.chars().take(40).collect(), column }
    }
}

fn is_name_start(c: char) -> bool {
    c == '_' || c.is_alphabetic()
}

fn is_name(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}
