//! What a caller is told when something is refused or fails: codes, problems, failures.
//!
//! A [`Code`] is a stable name (`version_exists`) with a [`Class`] that says what the caller can do about
//! it; the HTTP border alone maps classes to statuses. A [`Problem`] is one fault with its own text; a
//! [`Failure`] is all faults of one request that could be found at once (at most
//! [`MAX_PROBLEMS`](crate::limits::MAX_PROBLEMS)). Platform codes live here; each format declares its own
//! with the same macro and lists them in its [`FormatInfo`](crate::format::FormatInfo).

use std::borrow::Cow;
use std::fmt;

/// What a caller can do about a refusal. The border maps each class to exactly one status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// The request itself is malformed: change it.
    BadRequest,
    /// No credential, or one that does not count: log in.
    Unauthorized,
    /// The credential is fine and the right is missing.
    Forbidden,
    /// The database answered and says: not there.
    NotFound,
    /// The address exists, the verb does not.
    MethodNotAllowed,
    /// `Accept` excludes everything we can send.
    NotAcceptable,
    /// The body came too slowly.
    RequestTimeout,
    /// The state of the store contradicts the request.
    Conflict,
    /// It was there and its number can never be used again.
    Gone,
    /// A body needs a length or chunked framing.
    LengthRequired,
    /// A condition of the request does not hold.
    PreconditionFailed,
    /// A stated limit of a body is exceeded.
    TooLarge,
    /// The request target is longer than we read.
    UriTooLong,
    /// The media type is not the expected one.
    UnsupportedMediaType,
    /// The range lies outside the file.
    RangeNotSatisfiable,
    /// `Expect` asks for something unknown.
    ExpectationFailed,
    /// The request was sent to the wrong server.
    Misdirected,
    /// Well-formed, but its content breaks a rule of the format.
    Unprocessable,
    /// Too many attempts: wait.
    TooManyRequests,
    /// The header block is too large.
    HeadersTooLarge,
    /// A fault of this server.
    Internal,
    /// An upstream answered nonsense or could not be reached.
    BadGateway,
    /// An upstream did not answer in time.
    GatewayTimeout,
    /// The request goes round in a circle of servers.
    LoopDetected,
    /// Temporarily not possible: repeat later.
    Unavailable,
    /// The disk is full.
    StorageFull,
}

/// A stable name for one kind of refusal, with its general title and remedy.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Code {
    /// The name on the wire; never changes.
    pub name: &'static str,
    /// What the caller can do.
    pub class: Class,
    /// One line that names the kind of fault.
    pub title: &'static str,
    /// What to do next, when the problem has no better hint of its own. May be empty only for faults that
    /// speak for themselves.
    pub hint: &'static str,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Declares codes as statics and collects them in `ALL`, so that a document and a test can enumerate them.
#[macro_export]
macro_rules! codes {
    ($( $ident:ident = $name:literal, $class:ident, $title:literal, $hint:literal; )*) => {
        $(
            #[doc = concat!("`", $name, "`: ", $title)]
            pub static $ident: $crate::error::Code = $crate::error::Code {
                name: $name, class: $crate::error::Class::$class, title: $title, hint: $hint,
            };
        )*
        /// Every code declared here, in order of declaration.
        pub static ALL: &[&$crate::error::Code] = &[$(&$ident),*];
    };
}

/// The platform's own codes.
pub mod codes {
    crate::codes! {
        BAD_REQUEST = "bad_request", BadRequest, "The request is malformed", "See the detail.";
        INVALID_HOST = "invalid_host", BadRequest, "This host name is not served here", "Set public_url (KEEPER_PUBLIC_URL) or allowed_hosts (KEEPER_ALLOWED_HOSTS) to the name that clients use.";
        INVALID_PATH = "invalid_path", BadRequest, "The path is not accepted", "Write the path plainly, without encoded slashes, dots or control characters.";
        INVALID_FRAMING = "invalid_framing", BadRequest, "The request body is framed wrongly", "Send either Content-Length or chunked framing, and the whole body.";
        INVALID_JSON = "invalid_json", BadRequest, "The body is not valid JSON", "Check the position named in the detail.";
        UNKNOWN_FIELD = "unknown_field", BadRequest, "Unknown field", "Remove the field, or use one of the accepted names.";
        INVALID_FIELD = "invalid_field", BadRequest, "A field has a value that is not accepted", "See the detail for what is accepted.";
        FIELD_MISSING = "field_missing", BadRequest, "A required field is missing", "Add the field.";
        DUPLICATE_FIELD = "duplicate_field", BadRequest, "A field is given more than once", "Send each field once.";
        MULTIPART_INVALID = "multipart_invalid", BadRequest, "The form is malformed", "Let curl build the form with -F; do not set Content-Type yourself.";
        INVALID_ENCODING = "invalid_encoding", BadRequest, "A text is not valid UTF-8", "Send text as UTF-8.";
        AMBIGUOUS_CREDENTIALS = "ambiguous_credentials", BadRequest, "More than one credential was sent", "Send one Authorization header, or one cookie, and nothing else.";
        TOKEN_IN_URL = "token_in_url", BadRequest, "A token was sent in the address", "Send it as 'Authorization: Bearer <token>' and revoke this one: addresses end up in logs.";
        USE_HTTPS = "use_https", BadRequest, "This would send a secret unencrypted", "Use the https address; see docs/access.md for a server without one.";
        EMPTY_FILE = "empty_file", BadRequest, "The uploaded file is empty", "Check the path after -F file=@.";
        REPOSITORY_REQUIRED = "repository_required", BadRequest, "Several repositories accept this upload", "Add -F repository=<name>.";
        UNKNOWN_FORMAT = "unknown_format", BadRequest, "This format is not installed", "Use one of the installed formats.";
        INVALID_CURSOR = "invalid_cursor", BadRequest, "The cursor does not belong to this list", "Start again without cursor.";
        INVALID_QUERY = "invalid_query", BadRequest, "The search text is not accepted", "Give one or more plain words.";
        LOGIN_REQUIRED = "login_required", Unauthorized, "A login is needed, or the repository does not exist", "Send a token.";
        TOKEN_MALFORMED = "token_malformed", Unauthorized, "The credential looks cut off or mistyped", "A token has 40 characters and begins with akp_ or aks_.";
        INVALID_CREDENTIALS = "invalid_credentials", Unauthorized, "The credential is not valid", "Create a new token, with POST /api/tokens or 'artifact-keeper token create'.";
        TOKEN_EXPIRED = "token_expired", Unauthorized, "The token has expired", "Create a new token, with POST /api/tokens or 'artifact-keeper token create'.";
        PASSWORD_NOT_ACCEPTED = "password_not_accepted", Unauthorized, "A password is not accepted here", "Use a token as the password; create one with POST /api/tokens or 'artifact-keeper token create'.";
        USER_DISABLED = "user_disabled", Forbidden, "The user of this credential is disabled", "Ask an administrator.";
        REPOSITORY_UNAVAILABLE = "repository_unavailable", Forbidden, "The repository does not exist or this credential may not read it", "Check the name in the address.";
        PUBLISH_DENIED = "publish_denied", Forbidden, "This credential may not publish here", "Use a token that has the action publish for this repository.";
        DELETE_DENIED = "delete_denied", Forbidden, "This credential may not delete here", "Use a token that has the action delete for this repository.";
        MANAGE_DENIED = "manage_denied", Forbidden, "This credential may not change this repository", "Use a token that has the action manage for this repository.";
        ADMIN_REQUIRED = "admin_required", Forbidden, "Only an administrator may do this", "Use a token of an administrator that has the action admin.";
        SESSION_REQUIRED = "session_required", Forbidden, "Only somebody who signed in may do this", "Sign in with a browser; a token is not enough.";
        SCOPE_TOO_WIDE = "scope_too_wide", Forbidden, "The token would be more than the credential that asks for it, or than its user may", "Ask for fewer actions, repositories or packages, or a shorter life.";
        CSRF_REJECTED = "csrf_rejected", Forbidden, "The request seems to come from another web page", "Programs send a token instead of a cookie; pages of this server send X-Keeper-Request: 1.";
        BLOCKED = "blocked", Forbidden, "A policy blocks this version", "Ask the owner of the repository.";
        NAME_CLAIMED = "name_claimed", Forbidden, "The name belongs to another repository", "Ask an administrator who publishes it, or for the right to read that repository.";
        NOT_FOUND = "not_found", NotFound, "There is nothing at this address", "Packages live at /<format>/<repository>/..., the API under /api.";
        REPOSITORY_NOT_FOUND = "repository_not_found", NotFound, "The repository does not exist", "List them with GET /api/repositories.";
        USER_NOT_FOUND = "user_not_found", NotFound, "There is no such user", "List them with GET /api/users.";
        GROUP_NOT_FOUND = "group_not_found", NotFound, "There is no such group", "List them with GET /api/groups.";
        GRANT_NOT_FOUND = "grant_not_found", NotFound, "There is no such grant", "List them with GET /api/grants.";
        TOKEN_NOT_FOUND = "token_not_found", NotFound, "There is no such token", "List them with GET /api/tokens.";
        SESSION_NOT_FOUND = "session_not_found", NotFound, "There is no such session", "List them with GET /api/me/sessions.";
        PACKAGE_NOT_FOUND = "package_not_found", NotFound, "The package does not exist", "List them with GET /api/packages.";
        ARTIFACT_NOT_FOUND = "artifact_not_found", NotFound, "The artifact does not exist", "List them with GET /api/artifacts.";
        VERSION_NOT_FOUND = "version_not_found", NotFound, "The repository has no such version", "See the list of versions.";
        DOCTOR_MISSING = "doctor_missing", NotFound, "This format judges no client settings", "GET /api/formats names the formats that have the capability doctor.";
        FILE_NOT_FOUND = "file_not_found", NotFound, "There is no such file", "See the files of the artifact.";
        METHOD_NOT_ALLOWED = "method_not_allowed", MethodNotAllowed, "This method is not available here", "Use one of the methods in the Allow header.";
        READ_ONLY = "read_only", MethodNotAllowed, "The repository takes no uploads", "Publish to a hosted repository.";
        NOT_ACCEPTABLE = "not_acceptable", NotAcceptable, "The answer would be JSON, which Accept excludes", "Send Accept: application/json, or no Accept header.";
        REQUEST_TIMEOUT = "request_timeout", RequestTimeout, "The request body came too slowly", "Send at least 1 KiB/s, or use a better connection.";
        REPOSITORY_EXISTS = "repository_exists", Conflict, "A repository of this name exists", "Choose another name.";
        USER_EXISTS = "user_exists", Conflict, "A user of this login exists", "Choose another login.";
        GROUP_EXISTS = "group_exists", Conflict, "A group of this name exists", "Choose another name.";
        GRANT_EXISTS = "grant_exists", Conflict, "A role on these repositories is granted already", "Delete that grant first.";
        REPOSITORY_NOT_EMPTY = "repository_not_empty", Conflict, "The repository holds artifacts", "Delete them first, or repeat with ?force=true.";
        REPOSITORY_DELETING = "repository_deleting", Conflict, "The repository is being deleted", "Use another repository, or wait until it is gone.";
        MEMBER_INVALID = "member_invalid", Conflict, "A member does not fit", "Members are hosted or remote repositories of the same format, each named once.";
        MEMBER_CYCLE = "member_cycle", Conflict, "The upstream is this server", "Use a virtual repository to see other repositories of this server.";
        CLAIM_CONFLICT = "claim_conflict", Conflict, "The reserved pattern contradicts another one", "Reserve each pattern once.";
        REPOSITORY_IN_USE = "repository_in_use", Conflict, "Virtual repositories have this one as a member", "Take it out of them first, or repeat with ?force=true.";
        NO_REPOSITORY = "no_repository", Conflict, "No repository accepts this upload", "Create one with POST /api/repositories.";
        REPOSITORY_WRONG_FORMAT = "repository_wrong_format", Conflict, "The repository belongs to another format", "Name a repository of the format that you upload.";
        VERSION_EXISTS = "version_exists", Conflict, "The version exists with other content", "Versions never change. Publish the next one.";
        FILE_EXISTS = "file_exists", Conflict, "The file exists with other content", "Files never change. Publish the next version.";
        CASE_CONFLICT = "case_conflict", Conflict, "A package whose name differs only in case exists", "Use the existing spelling.";
        DELETION_FORBIDDEN = "deletion_forbidden", Conflict, "This repository never deletes", "Change its deletion setting to tombstone first.";
        IMMUTABLE_FIELD = "immutable_field", Conflict, "This property is fixed at creation", "Create a new repository.";
        DELETED = "deleted", Gone, "This version was deleted", "Its number cannot be used again; publish or use another one.";
        VERSION_DELETED = "version_deleted", Gone, "This version was deleted once", "Publish the next version.";
        LENGTH_REQUIRED = "length_required", LengthRequired, "The request needs a length", "Send Content-Length or chunked framing.";
        PRECONDITION_FAILED = "precondition_failed", PreconditionFailed, "A condition of the request does not hold", "Read the resource again.";
        STALE_WRITE = "stale_write", PreconditionFailed, "It was changed meanwhile", "Read it again and repeat the change with the new ETag.";
        TOO_MANY_ATTEMPTS = "too_many_attempts", TooManyRequests, "Too many attempts to sign in", "Wait for the stated time.";
        TOO_LARGE = "too_large", TooLarge, "A size limit is exceeded", "See the detail for which limit and whose setting it is.";
        QUOTA_EXCEEDED = "quota_exceeded", TooLarge, "The repository's quota is reached", "Delete versions that are not needed, or ask for a higher limit.";
        URI_TOO_LONG = "uri_too_long", UriTooLong, "The address is too long", "At most 8 KiB are read.";
        UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type", UnsupportedMediaType, "The content type is not the expected one", "See the detail for the expected type.";
        RANGE_NOT_SATISFIABLE = "range_not_satisfiable", RangeNotSatisfiable, "The range lies outside the file", "Ask for bytes inside the file.";
        EXPECTATION_FAILED = "expectation_failed", ExpectationFailed, "Only 'Expect: 100-continue' is known", "Remove the Expect header.";
        MISDIRECTED = "misdirected", Misdirected, "The request was meant for another host", "Address this server by its own name.";
        NOT_AN_ARCHIVE = "not_an_archive", Unprocessable, "The file has no contents to browse", "Download the file instead.";
        NAME_MISSING = "name_missing", Unprocessable, "The name is missing and cannot be derived", "Add -F name=<package>.";
        VERSION_MISSING = "version_missing", Unprocessable, "The version is missing and cannot be derived", "Add -F version=<version>.";
        WARNING_REFUSED = "warning_refused", Unprocessable, "strict=true and there are warnings", "Mend what is listed, or publish without strict.";
        CHECKSUM_MISMATCH = "checksum_mismatch", Unprocessable, "The bytes do not have the stated checksum", "Send the file again; it was changed on the way.";
        HEADERS_TOO_LARGE = "headers_too_large", HeadersTooLarge, "The request headers are too large", "Send fewer or shorter headers.";
        INTERNAL = "internal", Internal, "A fault of this server", "Give the request id to the administrator.";
        BLOB_MISSING = "blob_missing", Internal, "Stored bytes are missing", "Give the request id to the administrator.";
        BLOB_CORRUPT = "blob_corrupt", Internal, "Stored bytes are damaged", "Give the request id to the administrator.";
        UPSTREAM_UNREACHABLE = "upstream_unreachable", BadGateway, "The upstream cannot be reached", "Try again later.";
        UPSTREAM_INVALID = "upstream_invalid", BadGateway, "The upstream sent something invalid", "Try again later; the log has the reason.";
        UPSTREAM_AUTH = "upstream_auth", BadGateway, "The upstream does not accept the stored credentials", "An administrator can set others with PATCH /api/repositories.";
        UPSTREAM_CHECKSUM_MISMATCH = "upstream_checksum_mismatch", BadGateway, "The upstream sent other bytes than were published", "Do not use this version; tell an administrator.";
        UPSTREAM_UNVERIFIED = "upstream_unverified", BadGateway, "What the upstream sent could not be verified", "Try again later; the log has the reason.";
        UPSTREAM_TOO_LARGE = "upstream_too_large", BadGateway, "The upstream sent more than is accepted", "The log has the reason.";
        UPSTREAM_REDIRECT_REFUSED = "upstream_redirect_refused", BadGateway, "The upstream redirects to a place that is not accepted", "The log has the reason.";
        UPSTREAM_ERROR = "upstream_error", BadGateway, "The upstream failed", "Try again later.";
        UPSTREAM_FORBIDDEN = "upstream_forbidden", Forbidden, "The upstream refuses this", "Ask an administrator.";
        PROXY_LOOP = "proxy_loop", LoopDetected, "Servers are each other's upstream", "An administrator has to break the circle.";
        UPSTREAM_TIMEOUT = "upstream_timeout", GatewayTimeout, "The upstream did not answer in time", "Try again later.";
        UPSTREAM_OPEN = "upstream_open", Unavailable, "The upstream is left alone after repeated trouble", "Send the same request again after the stated time.";
        STORAGE_UNAVAILABLE = "storage_unavailable", Unavailable, "The storage cannot be used right now", "Send the same request again later; that is safe.";
        STORAGE_READ_ONLY = "storage_read_only", Unavailable, "The storage is read-only", "Ask the administrator.";
        DATABASE_BUSY = "database_busy", Unavailable, "The database is busy", "Send the same request again; that is safe.";
        DATABASE_UNAVAILABLE = "database_unavailable", Unavailable, "The database cannot be used right now", "Send the same request again later; that is safe.";
        OVERLOADED = "overloaded", Unavailable, "The server has too much to do", "Send the same request again after the stated time.";
        OUTCOME_UNKNOWN = "outcome_unknown", Unavailable, "The outcome of the request is unknown", "Send the same request again; it is safe.";
        RATE_LIMITED = "rate_limited", TooManyRequests, "Too many requests with this credential", "Send fewer at once, and repeat after the time in Retry-After.";
        SHUTTING_DOWN = "shutting_down", Unavailable, "The server is stopping", "Send the same request again.";
        DISK_FULL = "disk_full", StorageFull, "The disk of the server is full", "Ask the administrator; downloads still work.";
    }
}

/// One fault of a request.
#[derive(Debug, Clone)]
pub struct Problem {
    /// Its stable name.
    pub code: &'static Code,
    /// What was wrong, with the value; one line, no credential.
    pub detail: String,
    /// What to do next; `None` uses the code's own hint.
    pub hint: Option<String>,
    /// The form field or JSON key at fault.
    pub field: Option<String>,
    /// The archive entry at fault.
    pub path: Option<String>,
}

impl Problem {
    /// A problem with its text.
    pub fn new(code: &'static Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), hint: None, field: None, path: None }
    }

    /// Replaces the code's general remedy.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Names the field at fault.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// Names the archive entry at fault.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// The remedy to show; may be empty.
    #[must_use]
    pub fn hint_text(&self) -> &str {
        self.hint.as_deref().unwrap_or(self.code.hint)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.detail, self.code.name)
    }
}

/// Everything wrong with one request. Never empty: the first problem decides the class.
#[derive(Debug, Clone)]
pub struct Failure {
    first: Box<Problem>,
    more: Vec<Problem>,
    /// Seconds after which a repeat makes sense (`Retry-After`).
    pub retry_after_s: Option<u32>,
    /// The verbs that are available (`Allow`), for [`Class::MethodNotAllowed`].
    pub allow: Option<Cow<'static, str>>,
    /// The whole length in bytes of the file, for [`Class::RangeNotSatisfiable`].
    pub complete_length: Option<u64>,
    /// Seconds for which a cache may believe an absence; `None` for all other failures.
    pub cacheable_s: Option<u32>,
    /// The cause inside the server, for the log only; never shown to a caller.
    pub cause: Option<String>,
}

/// What services and formats answer.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    /// A failure of one problem.
    pub fn new(code: &'static Code, detail: impl Into<String>) -> Self {
        Problem::new(code, detail).into()
    }

    /// All problems found; `None` when there is none.
    #[must_use]
    pub fn from_problems(problems: Vec<Problem>) -> Option<Self> {
        let mut problems = problems.into_iter();
        let first = problems.next()?;
        let mut failure = Self::from(first);
        failure.more = problems.take(crate::limits::MAX_PROBLEMS - 1).collect();
        Some(failure)
    }

    /// The problem that decides the class.
    #[must_use]
    pub fn first(&self) -> &Problem {
        &self.first
    }

    /// All problems, the first one first.
    pub fn problems(&self) -> impl Iterator<Item = &Problem> {
        std::iter::once(&*self.first).chain(&self.more)
    }

    /// The code of the first problem.
    #[must_use]
    pub fn code(&self) -> &'static Code {
        self.first.code
    }

    /// Replaces the remedy of the first problem.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.first.hint = Some(hint.into());
        self
    }

    /// Names the field of the first problem.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.first.field = Some(field.into());
        self
    }

    /// Keeps the cause for the log.
    #[must_use]
    pub fn caused_by(mut self, cause: impl fmt::Display) -> Self {
        self.cause = Some(cause.to_string());
        self
    }

    /// States when a repeat makes sense.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// The answer to a verb that an address does not have. `allow` is the value of the `Allow` header.
    pub fn method_not_allowed(verb: &str, allow: &'static str) -> Self {
        let mut failure = Self::new(
            &codes::METHOD_NOT_ALLOWED,
            format!("{verb} is not available at this address; allowed here: {allow}"),
        );
        failure.allow = Some(allow.into());
        failure
    }
}

impl From<Problem> for Failure {
    fn from(first: Problem) -> Self {
        Self {
            first: Box::new(first),
            more: Vec::new(),
            retry_after_s: None,
            allow: None,
            complete_length: None,
            cacheable_s: None,
            cause: None,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.first)?;
        if !self.more.is_empty() {
            write!(f, " and {} more", self.more.len())?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_one_name_a_title_and_a_remedy() {
        let mut names: Vec<_> = codes::ALL.iter().map(|code| code.name).collect();
        names.sort_unstable();
        let total = names.len();
        names.dedup();
        assert_eq!(names.len(), total, "two codes share a name");
        for code in codes::ALL {
            assert!(!code.title.is_empty() && !code.hint.is_empty(), "{} lacks a text", code.name);
        }
    }

    #[test]
    fn a_failure_keeps_all_its_problems_in_order() {
        let problems = ["a", "b", "c"].map(|text| Problem::new(&codes::INVALID_FIELD, text)).to_vec();
        let failure = Failure::from_problems(problems).expect("three problems");
        let details: Vec<_> = failure.problems().map(|problem| problem.detail.as_str()).collect();
        assert_eq!(details, ["a", "b", "c"]);
        assert!(Failure::from_problems(Vec::new()).is_none());
    }
}
