//! Credentials of a call, as its authentication policy says.
//!
//! Only what needs no conversation: basic and bearer.

use super::Trouble;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// The `authorization` header of a policy; `None` when there is no policy.
pub(super) fn authorization(policy: Option<&Value>) -> Result<Option<String>, Trouble> {
    let Some(policy) = policy.filter(|it| !it.is_null()) else {
        return Ok(None);
    };
    let part = |scheme: &str, name: &str| {
        let field = policy.get(scheme)?.get(name)?;
        field.as_str().map(str::to_owned)
    };
    if let Some(basic) = policy.get("basic").filter(|it| it.get("use").is_none()) {
        let pair = part("basic", "username").zip(part("basic", "password"));
        let (user, password) = pair.ok_or_else(|| incomplete(basic))?;
        let code = STANDARD.encode(format!("{user}:{password}"));
        return Ok(Some(format!("Basic {code}")));
    }
    if let Some(bearer) = policy.get("bearer").filter(|it| it.get("use").is_none()) {
        let token = part("bearer", "token").ok_or_else(|| incomplete(bearer))?;
        return Ok(Some(format!("Bearer {token}")));
    }
    let schemes = policy.as_object().into_iter().flat_map(|it| it.keys());
    let scheme = schemes.map(String::as_str).collect::<Vec<_>>().join(", ");
    let message = format!("authentication by {scheme} is not supported in this form");
    Err(Trouble::Wrong(message))
}

fn incomplete(policy: &Value) -> Trouble {
    let fields = policy.as_object().into_iter().flat_map(|it| it.keys());
    let fields = fields.map(String::as_str).collect::<Vec<_>>().join(", ");
    let message = format!("the authentication policy has no texts in {fields}");
    Trouble::Wrong(message)
}
