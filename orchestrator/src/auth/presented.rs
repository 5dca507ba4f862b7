//! The credential a request came with. Read from headers only: a key in an address ends up in logs.

use super::AuthError;
use super::key_text::MAX_LEN;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use shared::secret::Secret;

/// A credential, not yet checked.
#[derive(Debug, Clone)]
pub struct Presented(pub(in crate::auth) Secret);

impl Presented {
    /// A key that came another way than by header, such as the CLI's own.
    #[must_use]
    pub const fn key(text: Secret) -> Self {
        Self(text)
    }

    /// Reads `Authorization: Bearer …` or the header of API keys, whose name is `api_key_header`.
    ///
    /// # Errors
    /// [`AuthError::Missing`] when there is neither, [`AuthError::Both`] when there are both,
    /// [`AuthError::Invalid`] when one of them is repeated, over long or of another form.
    pub fn from_headers(headers: &HeaderMap, api_key_header: &str) -> Result<Self, AuthError> {
        let key = single(headers, api_key_header)?;
        let authorization = single(headers, AUTHORIZATION.as_str())?;
        match (key, authorization) {
            (Some(_), Some(_)) => Err(AuthError::Both),
            (Some(key), None) => Ok(Self(Secret::new(key))),
            (None, Some(value)) => bearer(value),
            (None, None) => Err(AuthError::Missing),
        }
    }
}

fn single<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, AuthError> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let text = value.to_str().or(Err(AuthError::Invalid))?.trim();
    if values.next().is_some() || text.is_empty() || text.len() > MAX_LEN {
        return Err(AuthError::Invalid);
    }
    Ok(Some(text))
}

fn bearer(value: &str) -> Result<Presented, AuthError> {
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
            Ok(Presented(Secret::new(token.trim())))
        }
        _ => Err(AuthError::Invalid),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    #[track_caller]
    fn check(headers: &[(&'static str, &str)], expected: Result<&str, &str>) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(
                HeaderName::from_static(name),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        match (Presented::from_headers(&map, "X-API-Key"), expected) {
            (Ok(got), Ok(expected)) => assert_eq!(got.0.expose(), expected),
            (Err(got), Err(expected)) => assert_eq!(format!("{got:?}"), expected),
            (got, _) => panic!("{got:?}"),
        }
    }

    #[test]
    fn one_credential_in_one_header_is_read() {
        check(&[], Err("Missing"));
        check(&[("x-api-key", "k")], Ok("k"));
        check(&[("authorization", "Bearer k")], Ok("k"));
        check(&[("authorization", "bearer  k ")], Ok("k"));
        check(&[("authorization", "Basic k")], Err("Invalid"));
        check(&[("authorization", "k")], Err("Invalid"));
        check(&[("x-api-key", "")], Err("Invalid"));
        check(&[("x-api-key", &"k".repeat(513))], Err("Invalid"));
        check(&[("x-api-key", "k"), ("x-api-key", "k")], Err("Invalid"));
        check(
            &[("x-api-key", "k"), ("authorization", "Bearer k")],
            Err("Both"),
        );
    }
}
