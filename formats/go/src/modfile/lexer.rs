//! Tokens of a go.mod file, each with the place it starts at.
//!
//! ```text
//! require ex.com/a v1.2.0 // indirect⏎     Word Word Word EolComment
//! // why⏎                                  Comment (the line end belongs to it)
//! retract [v1.0.0, v1.1.0]⏎                Word Mark('[') Word Mark(',') Word Mark(']') Newline
//! ```
//!
//! Blank is space, tab and carriage return, so CRLF files need no care. A word is every run of printable
//! characters except `( ) [ ] { } ,` and the start of a comment; quotes inside it are kept, for the directive
//! to refuse. Anything else (a BOM, NUL, a no-break space) is an error: Go is strict here even where it is
//! lax about directives.
//!
//! Units and bounds: lines and columns count from 1, columns in characters; linear in the text, one token at
//! a time, no recursion.
//! Errors: one [`SyntaxFault`], after which the lexer is not used again.
//! Source: `read.go` of `golang.org/x/mod/modfile` (go 1.26).

use super::SyntaxFault;
use super::literal::{is_print, quote_char};

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The end of the file, again and again.
    End,
    /// A line end outside comments.
    Newline,
    /// A comment after something else on its line, with the line end.
    EolComment,
    /// A comment alone on its line, with the line end.
    Comment,
    /// One of `( ) [ ] { } ,`.
    Mark(char),
    /// A bare word.
    Word,
    /// A text in `"` or back quotes, with the quotes.
    Quoted,
}

impl Kind {
    /// Whether a statement ends before this token.
    pub(super) fn ends_line(self) -> bool {
        matches!(self, Self::End | Self::Newline | Self::EolComment)
    }
}

/// A place in the file, both numbers from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The line.
    pub(super) line: u32,
    /// The character within the line.
    pub(super) column: u32,
}

/// A token as it stands in the file; comments without their line end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    /// What it is.
    pub(super) kind: Kind,
    /// Its own characters.
    pub(super) text: &'a str,
    /// Where it starts.
    pub(super) start: Place,
}

/// The reader of tokens.
pub(super) struct Lexer<'a> {
    rest: &'a str,
    place: Place,
    /// Whether a token already stands on this line: a comment after it is a comment *on* it.
    line_begun: bool,
}

impl<'a> Lexer<'a> {
    /// A lexer at the start of the text.
    pub(super) fn new(text: &'a str) -> Self {
        Self { rest: text, place: Place { line: 1, column: 1 }, line_begun: false }
    }

    /// A fault at the place the lexer has reached.
    pub(super) fn fault(&self, message: impl Into<String>) -> SyntaxFault {
        SyntaxFault::new(self.place.line, message)
    }

    /// The next token.
    pub(super) fn next(&mut self) -> Result<Token<'a>, SyntaxFault> {
        while self.peek().is_some_and(|c| matches!(c, ' ' | '\t' | '\r')) {
            self.advance();
        }
        if self.rest.starts_with("//") {
            return Ok(self.comment());
        }
        self.refuse_c_comment()?;
        let (from, start) = (self.rest, self.place);
        let kind = match self.peek() {
            None => Kind::End,
            Some('\n') => {
                self.advance();
                Kind::Newline
            }
            Some(mark @ ('(' | ')' | '[' | ']' | '{' | '}' | ',')) => {
                self.advance();
                Kind::Mark(mark)
            }
            Some(quote @ ('"' | '`')) => {
                self.quoted(quote, start)?;
                Kind::Quoted
            }
            Some(c) if is_word(c) => {
                self.word()?;
                Kind::Word
            }
            Some(c) => return Err(self.fault(format!("unexpected input character {}", quote_char(c)))),
        };
        self.line_begun = kind != Kind::Newline;
        Ok(Token { kind, text: self.text_since(from), start })
    }

    fn comment(&mut self) -> Token<'a> {
        let (from, start) = (self.rest, self.place);
        let kind = if self.line_begun { Kind::EolComment } else { Kind::Comment };
        while self.advance().is_some_and(|c| c != '\n') {}
        self.line_begun = false;
        let text = self.text_since(from);
        // A carriage return is cut only together with the line feed, as Go does; readers of the text trim it
        // anyway.
        let text = text.strip_suffix("\r\n").or_else(|| text.strip_suffix('\n')).unwrap_or(text);
        Token { kind, text, start }
    }

    /// Reads over a quoted text. An escaped line end does not end it here, though no literal with one has a
    /// value.
    fn quoted(&mut self, quote: char, start: Place) -> Result<(), SyntaxFault> {
        let unended = SyntaxFault::new(start.line, "unexpected EOF in string");
        self.advance();
        loop {
            if self.peek() == Some('\n') {
                return Err(self.fault("unexpected newline in string"));
            }
            match self.advance() {
                None => return Err(unended),
                Some(c) if c == quote => return Ok(()),
                Some('\\') if quote == '"' => {
                    if self.advance().is_none() {
                        return Err(unended);
                    }
                }
                Some(_) => {}
            }
        }
    }

    fn word(&mut self) -> Result<(), SyntaxFault> {
        while self.peek().is_some_and(is_word) && !self.rest.starts_with("//") {
            self.refuse_c_comment()?;
            self.advance();
        }
        Ok(())
    }

    fn refuse_c_comment(&self) -> Result<(), SyntaxFault> {
        if self.rest.starts_with("/*") {
            return Err(self.fault("mod files must use // comments (not /* */ comments)"));
        }
        Ok(())
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn advance(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let c = chars.next()?;
        self.rest = chars.as_str();
        if c == '\n' {
            self.place = Place { line: self.place.line.saturating_add(1), column: 1 };
        } else {
            self.place.column = self.place.column.saturating_add(1);
        }
        Some(c)
    }

    fn text_since(&self, from: &'a str) -> &'a str {
        &from[..from.len() - self.rest.len()]
    }
}

fn is_word(c: char) -> bool {
    !matches!(c, ' ' | '(' | ')' | '[' | ']' | '{' | '}' | ',') && is_print(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Result<Vec<(Kind, &str)>, SyntaxFault> {
        let mut lexer = Lexer::new(text);
        let mut tokens = Vec::new();
        loop {
            let token = lexer.next()?;
            if token.kind == Kind::End {
                return Ok(tokens);
            }
            tokens.push((token.kind, token.text));
        }
    }

    #[test]
    fn a_line_falls_into_the_tokens_go_sees() {
        use Kind::{Comment, EolComment, Mark, Newline, Quoted, Word};
        let cases: [(&str, &[(Kind, &str)]); 10] = [
            ("go\t1.20\r\n", &[(Word, "go"), (Word, "1.20"), (Newline, "\n")]),
            ("a // b\r\n// c\r\n", &[(Word, "a"), (EolComment, "// b"), (Comment, "// c")]),
            ("  // a", &[(Comment, "// a")]),
            ("a//b", &[(Word, "a"), (EolComment, "//b")]),
            // A single slash is a part of a word; only `//` and `/*` are not.
            ("ex.com/a/b", &[(Word, "ex.com/a/b")]),
            ("[v1,v2]", &[(Mark('['), "["), (Word, "v1"), (Mark(','), ","), (Word, "v2"), (Mark(']'), "]")]),
            // A quote opens a text only at the start of a token.
            ("\"a\"b\"c", &[(Quoted, "\"a\""), (Word, "b\"c")]),
            ("`a\\`b", &[(Quoted, "`a\\`"), (Word, "b")]),
            ("\"a\\\nb\" // c", &[(Quoted, "\"a\\\nb\""), (EolComment, "// c")]),
            ("'é'=>\u{fffd}", &[(Word, "'é'=>\u{fffd}")]),
        ];
        for (text, expected) in cases {
            assert_eq!(tokens(text).as_deref(), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_token_is_refused_at_its_line() {
        let c_comment = "mod files must use // comments (not /* */ comments)";
        let cases = [
            ("\u{feff}module a", 1, r"unexpected input character '\ufeff'"),
            ("a\n\0", 2, r"unexpected input character '\x00'"),
            ("a\u{a0}b", 1, r"unexpected input character '\u00a0'"),
            ("a\n\u{85}", 2, r"unexpected input character '\u0085'"),
            ("/* a */", 1, c_comment),
            ("a/*", 1, c_comment),
            ("a\n\n\"b", 3, "unexpected EOF in string"),
            ("\"a\\", 1, "unexpected EOF in string"),
            ("\"a\\\n", 1, "unexpected EOF in string"),
            ("\"a\n\"", 1, "unexpected newline in string"),
            ("`a\n`", 1, "unexpected newline in string"),
        ];
        for (text, line, message) in cases {
            assert_eq!(tokens(text), Err(SyntaxFault::new(line, message)), "{text:?}");
        }
    }
}
