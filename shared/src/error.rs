//! The error codes every surface shares, and the status each has over HTTP.

use std::fmt;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $status:literal;)+) => {
        /// A stable, upper-case error code. Source: `interfaces.md` 1.2.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $($(#[$doc])* $name,)+
        }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The code as it appears on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            /// The HTTP status that goes with it.
            #[must_use]
            pub const fn http_status(self) -> u16 {
                match self { $(Self::$name => $status,)+ }
            }
        }
    };
}

codes! {
    /// The body is not JSON or not of the route's shape.
    InvalidRequest = "INVALID_REQUEST", 400;
    /// A path, query or header parameter is missing.
    MissingParameter = "MISSING_PARAMETER", 400;
    /// A body field is missing.
    MissingRequiredField = "MISSING_REQUIRED_FIELD", 400;
    /// Wrong type or format.
    InvalidInput = "INVALID_INPUT", 400;
    /// Unknown action of the command engine.
    InvalidCommand = "INVALID_COMMAND", 400;
    /// A message that breaks the MCP specification.
    McpProtocolError = "MCP_PROTOCOL_ERROR", 400;
    /// The program wants a terminal.
    InteractiveRefused = "INTERACTIVE_REFUSED", 400;
    /// No credential, or one nobody knows.
    Unauthorized = "UNAUTHORIZED", 401;
    /// Wrong e-mail or password.
    InvalidCredentials = "INVALID_CREDENTIALS", 401;
    /// The token's life is over.
    TokenExpired = "TOKEN_EXPIRED", 401;
    /// The token is not ours, or was changed.
    TokenInvalid = "TOKEN_INVALID", 401;
    /// The API key's life is over.
    KeyExpired = "KEY_EXPIRED", 401;
    /// Authentication could not be carried out.
    AuthenticationError = "AUTHENTICATION_ERROR", 401;
    /// Wrong kind of credential or network.
    Forbidden = "FORBIDDEN", 403;
    /// Role or permission missing.
    InsufficientRights = "INSUFFICIENT_RIGHTS", 403;
    /// A policy says no.
    AccessDenied = "ACCESS_DENIED", 403;
    /// A built-in rule (command, path, file type, SQL) says no.
    PolicyViolation = "POLICY_VIOLATION", 403;
    /// A person must say yes first.
    ApprovalRequired = "APPROVAL_REQUIRED", 403;
    /// The approval does not fit this call, was used, or is over.
    ApprovalInvalid = "APPROVAL_INVALID", 403;
    /// The outbound guard says no.
    AddressRefused = "ADDRESS_REFUSED", 403;
    /// No such thing, or not the caller's.
    NotFound = "NOT_FOUND", 404;
    /// No such server.
    ServerNotFound = "SERVER_NOT_FOUND", 404;
    /// No such tool.
    ToolNotFound = "TOOL_NOT_FOUND", 404;
    /// The route exists, not with this method.
    MethodNotAllowed = "METHOD_NOT_ALLOWED", 405;
    /// No representation the client accepts.
    NotAcceptable = "NOT_ACCEPTABLE", 406;
    /// The client sent too slowly.
    RequestTimeout = "REQUEST_TIMEOUT", 408;
    /// The name is taken.
    AlreadyExists = "ALREADY_EXISTS", 409;
    /// The state does not allow it.
    Conflict = "CONFLICT", 409;
    /// A readiness check failed; nothing was sent.
    NotReady = "NOT_READY", 409;
    /// The call may or may not have had its effect.
    OutcomeUnknown = "OUTCOME_UNKNOWN", 409;
    /// Larger than the limit.
    PayloadTooLarge = "PAYLOAD_TOO_LARGE", 413;
    /// Not JSON.
    UnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE", 415;
    /// Well-formed, but against a rule; `details.fields` says which.
    ValidationFailed = "VALIDATION_FAILED", 422;
    /// Too many calls.
    RateLimited = "RATE_LIMITED", 429;
    /// Over the plan's quota.
    QuotaExceeded = "QUOTA_EXCEEDED", 429;
    /// Too many failed logins.
    AccountLocked = "ACCOUNT_LOCKED", 429;
    /// A fault of ours.
    InternalError = "INTERNAL_ERROR", 500;
    /// The configuration cannot be used.
    ConfigurationError = "CONFIGURATION_ERROR", 500;
    /// A plugin failed.
    PluginError = "PLUGIN_ERROR", 500;
    /// Known, but not by this build or revision.
    NotSupported = "NOT_SUPPORTED", 501;
    /// Built without this adapter.
    AdapterNotAvailable = "ADAPTER_NOT_AVAILABLE", 501;
    /// The upstream answered nonsense.
    BadGateway = "BAD_GATEWAY", 502;
    /// The upstream could not be asked.
    ProxyError = "PROXY_ERROR", 502;
    /// Overloaded, stopping, or a dependency is away.
    ServiceUnavailable = "SERVICE_UNAVAILABLE", 503;
    /// Health checks say the server is down.
    ServerUnhealthy = "SERVER_UNHEALTHY", 503;
    /// The breaker is open; `retry_after_ms` says when to come back.
    CircuitBreakerOpen = "CIRCUIT_BREAKER_OPEN", 503;
    /// A setting is missing; the message names it.
    NotConfigured = "NOT_CONFIGURED", 503;
    /// The deadline passed.
    Timeout = "TIMEOUT", 504;
}

impl Code {
    /// Reads a code from the wire; `None` for one this build does not know.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == text)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_survive_the_wire() {
        for code in Code::ALL {
            assert_eq!(Code::parse(code.as_str()), Some(*code));
            assert!((400..600).contains(&code.http_status()));
        }
        assert_eq!(Code::parse("NO_SUCH_CODE"), None);
    }
}
