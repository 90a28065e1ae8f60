//! Lines and blocks of a go.mod file with the comments that belong to each, before anything is known of
//! directives.
//!
//! ```text
//! // Deprecated: use b        before the line            -> Line
//! module ex.com/a             the line
//!
//! // all broken               before the block           -> Block
//! retract ( // not kept
//!     v1.0.0 // lost data     after the line             -> BlockLine, tokens without `retract`
//!                             an empty line: kept as "" among the comments before the next line
//!     v1.1.0                                             -> BlockLine
//! )
//! ```
//!
//! A `(` opens a block only at the end of its line; elsewhere it is a token like others. Comments followed by
//! an empty line belong to nothing.
//!
//! Units and bounds: statements come one at a time, so a file is never held as a tree; [`MAX_TOKENS`] of a
//! line and [`MAX_COMMENTS`] before it are kept. Blocks do not nest, hence no recursion. Errors: one
//! [`SyntaxFault`] ends the reading, with Go's words and line.
//!
//! Source: `parseFile`, `parseStmt`, `parseLineBlock`, `parseLine` and `assignComments` in `read.go` of
//! `golang.org/x/mod/modfile` (go 1.26). One known difference: Go gives a comment behind a line with a line
//! end *inside* a quoted text to the element before that line; here nobody gets it. No directive accepts such
//! a text.

use super::SyntaxFault;
use super::lexer::{Kind, Lexer, Place, Token};

/// Tokens kept of one line; further ones are read and dropped. The longest directive has eight (`retract [
/// low , high ]` and one too many).
pub(super) const MAX_TOKENS: usize = 16;

/// Comment lines kept before one statement; further ones are read and dropped.
pub(super) const MAX_COMMENTS: usize = 10_000;

/// One thing the file states.
#[derive(Debug)]
pub(super) enum Statement<'a> {
    /// A line outside blocks; its first token is the verb.
    Line(Line<'a>),
    /// The start of a block; its lines follow.
    Block(Block<'a>),
    /// A line of the block last started; the verb is the block's.
    BlockLine(Line<'a>),
}

/// A line with what was written about it.
#[derive(Debug)]
pub(super) struct Line<'a> {
    /// At least one token, as written.
    pub(super) tokens: Vec<&'a str>,
    /// The line it starts on.
    pub(super) at: u32,
    /// Whole-line comments directly before, with their `//`; `""` for an empty line within a block.
    pub(super) before: Vec<&'a str>,
    /// The comment at its end, with its `//`.
    pub(super) suffix: Option<&'a str>,
}

/// The head of a block.
#[derive(Debug)]
pub(super) struct Block<'a> {
    /// What stands before the parenthesis: at least one token.
    pub(super) tokens: Vec<&'a str>,
    /// The line it starts on.
    pub(super) at: u32,
    /// Whole-line comments directly before, with their `//`.
    pub(super) before: Vec<&'a str>,
}

/// The reader of statements, one token ahead of what it has given.
pub(super) struct Statements<'a> {
    lexer: Lexer<'a>,
    next: Token<'a>,
    block: Option<OpenBlock>,
    comments: Vec<&'a str>,
}

struct OpenBlock {
    start: Place,
    has_lines: bool,
}

impl Statement<'_> {
    /// The line it starts on.
    pub(super) fn at(&self) -> u32 {
        match self {
            Self::Line(line) | Self::BlockLine(line) => line.at,
            Self::Block(block) => block.at,
        }
    }
}

impl<'a> Statements<'a> {
    /// A reader at the start of the text, which reads its first token.
    pub(super) fn new(text: &'a str) -> Result<Self, SyntaxFault> {
        let mut lexer = Lexer::new(text);
        let next = lexer.next()?;
        Ok(Self { lexer, next, block: None, comments: Vec::new() })
    }

    /// The next statement, `None` at the end of the file.
    pub(super) fn next(&mut self) -> Result<Option<Statement<'a>>, SyntaxFault> {
        loop {
            if self.block.is_some() {
                if let Some(line) = self.block_line()? {
                    return Ok(Some(Statement::BlockLine(line)));
                }
                continue;
            }
            match self.next.kind {
                Kind::End => return Ok(None),
                Kind::Newline => {
                    self.shift()?;
                    self.comments.clear();
                }
                Kind::Comment => {
                    let comment = self.shift()?;
                    self.keep_comment(comment.text);
                }
                _ => return self.statement().map(Some),
            }
        }
    }

    fn shift(&mut self) -> Result<Token<'a>, SyntaxFault> {
        let following = self.lexer.next()?;
        Ok(std::mem::replace(&mut self.next, following))
    }

    fn keep_comment(&mut self, comment: &'a str) {
        if self.comments.len() < MAX_COMMENTS {
            self.comments.push(comment);
        }
    }

    /// A line or the head of a block, at the top of the file.
    fn statement(&mut self) -> Result<Statement<'a>, SyntaxFault> {
        let first = self.shift()?;
        let before = std::mem::take(&mut self.comments);
        let at = first.start.line;
        let mut tokens = vec![first.text];
        let mut spans_lines = first.text.contains('\n');
        loop {
            let token = self.shift()?;
            if token.kind.ends_line() {
                let suffix = end_comment(token, spans_lines);
                return Ok(Statement::Line(Line { tokens, at, before, suffix }));
            }
            if token.kind == Kind::Mark('(') {
                if self.next.kind.ends_line() {
                    self.block = Some(OpenBlock { start: first.start, has_lines: false });
                    return Ok(Statement::Block(Block { tokens, at, before }));
                }
                if self.next.kind == Kind::Mark(')') {
                    let close = self.shift()?;
                    if self.next.kind.ends_line() {
                        self.shift()?;
                        return Ok(Statement::Block(Block { tokens, at, before }));
                    }
                    keep(&mut tokens, token);
                    keep(&mut tokens, close);
                    continue;
                }
            }
            spans_lines |= token.text.contains('\n');
            keep(&mut tokens, token);
        }
    }

    /// The next line of the open block, `None` when the block has ended.
    fn block_line(&mut self) -> Result<Option<Line<'a>>, SyntaxFault> {
        while let Some(block) = &mut self.block {
            match self.next.kind {
                // The comment behind `(`: it belongs to the parenthesis.
                Kind::EolComment => {
                    self.shift()?;
                }
                Kind::Newline => {
                    if self.comments.last().map_or(block.has_lines, |last| !last.is_empty()) {
                        self.keep_comment("");
                    }
                    self.shift()?;
                }
                Kind::Comment => {
                    let comment = self.shift()?;
                    self.keep_comment(comment.text);
                }
                Kind::End => {
                    let Place { line, column } = block.start;
                    return Err(self
                        .lexer
                        .fault(format!("syntax error (unterminated block started at go.mod:{line}:{column})")));
                }
                Kind::Mark(')') => self.close_block()?,
                _ => {
                    block.has_lines = true;
                    return self.line_in_block().map(Some);
                }
            }
        }
        Ok(None)
    }

    fn close_block(&mut self) -> Result<(), SyntaxFault> {
        self.comments.clear();
        self.block = None;
        self.shift()?;
        if !self.next.kind.ends_line() {
            return Err(self.lexer.fault("syntax error (expected newline after closing paren)"));
        }
        self.shift()?;
        Ok(())
    }

    fn line_in_block(&mut self) -> Result<Line<'a>, SyntaxFault> {
        let before = std::mem::take(&mut self.comments);
        let first = self.shift()?;
        let mut tokens = vec![first.text];
        let mut spans_lines = first.text.contains('\n');
        loop {
            let token = self.shift()?;
            if token.kind.ends_line() {
                let suffix = end_comment(token, spans_lines);
                return Ok(Line { tokens, at: first.start.line, before, suffix });
            }
            spans_lines |= token.text.contains('\n');
            keep(&mut tokens, token);
        }
    }
}

fn keep<'a>(tokens: &mut Vec<&'a str>, token: Token<'a>) {
    if tokens.len() < MAX_TOKENS {
        tokens.push(token.text);
    }
}

fn end_comment<'a>(end: Token<'a>, spans_lines: bool) -> Option<&'a str> {
    (end.kind == Kind::EolComment && !spans_lines).then_some(end.text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One row for each statement: kind, line, tokens, comments before, comment behind.
    fn rows(text: &str) -> Result<Vec<String>, SyntaxFault> {
        let mut statements = Statements::new(text)?;
        let mut rows = Vec::new();
        while let Some(statement) = statements.next()? {
            let (name, line) = match statement {
                Statement::Line(line) => ("line", line),
                Statement::BlockLine(line) => ("in", line),
                Statement::Block(Block { tokens, at, before }) => ("block", Line { tokens, at, before, suffix: None }),
            };
            let Line { tokens, at, before, suffix } = line;
            rows.push(format!("{name} {at} {} {before:?} {}", tokens.join(" "), suffix.unwrap_or("-")));
        }
        Ok(rows)
    }

    #[test]
    fn comments_belong_to_the_line_they_touch() {
        let cases: [(&str, &[&str]); 11] = [
            ("// a\n// b\nmodule m // c\n", &[r#"line 3 module m ["// a", "// b"] // c"#]),
            ("// a\n\nmodule m", &["line 3 module m [] -"]),
            (
                "// a\nr (\n// b\nx // c\n\n\n// d\ny\n)\n",
                &[r#"block 2 r ["// a"] -"#, r#"in 4 x ["// b"] // c"#, r#"in 8 y ["", "// d"] -"#],
            ),
            // An empty line straight after the parenthesis leaves no trace.
            (
                "r ( // a\n\nx\n\ny\n\n) // b\nz",
                &["block 1 r [] -", "in 3 x [] -", r#"in 5 y [""] -"#, "line 8 z [] -"],
            ),
            ("r (\n// a\n)\nz", &["block 1 r [] -", "line 4 z [] -"]),
            ("// a\nr ()\nz", &[r#"block 2 r ["// a"] -"#, "line 3 z [] -"]),
            // Parentheses that do not end the line are tokens.
            ("r ( x\nr ( ) x\n", &["line 1 r ( x [] -", "line 2 r ( ) x [] -"]),
            ("(\n)\n", &["line 1 ( [] -", "line 2 ) [] -"]),
            ("r (\n(\nx (\n)", &["block 1 r [] -", "in 2 ( [] -", "in 3 x ( [] -"]),
            ("a \"b\\\nc\" // d\ne // f", &["line 1 a \"b\\\nc\" [] -", "line 3 e [] // f"]),
            ("", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(rows(text).expect("a readable text"), expected, "{text:?}");
        }
    }

    #[test]
    fn a_block_that_does_not_end_well_is_refused_at_the_place_go_names() {
        let cases = [
            ("\n  r (\nx\n", 4, "syntax error (unterminated block started at go.mod:2:3)"),
            ("r (", 1, "syntax error (unterminated block started at go.mod:1:1)"),
            ("r (\n) x\n", 2, "syntax error (expected newline after closing paren)"),
            ("r (\n\"\n", 2, "unexpected newline in string"),
        ];
        for (text, line, message) in cases {
            assert_eq!(rows(text), Err(SyntaxFault::new(line, message)), "{text:?}");
        }
    }

    #[test]
    fn tokens_and_comments_beyond_the_bound_are_read_and_dropped() {
        for (count, kept) in [(MAX_TOKENS, MAX_TOKENS), (MAX_TOKENS + 1, MAX_TOKENS)] {
            let text = vec!["a"; count].join(" ");
            let Ok(Some(Statement::Line(line))) = Statements::new(&text).and_then(|mut all| all.next()) else {
                panic!("one line")
            };
            assert_eq!(line.tokens.len(), kept);
        }
        for (count, kept) in [(MAX_COMMENTS, MAX_COMMENTS), (MAX_COMMENTS + 1, MAX_COMMENTS)] {
            let text = "//\n".repeat(count) + "a";
            let Ok(Some(Statement::Line(line))) = Statements::new(&text).and_then(|mut all| all.next()) else {
                panic!("one line")
            };
            assert_eq!((line.before.len(), line.tokens), (kept, vec!["a"]));
        }
    }
}
