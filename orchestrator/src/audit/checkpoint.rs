//! How far the chain reaches, signed with the hub's key: one row beside the chain, and a file outside
//! the database.

use super::AuditError;
use super::chain::Head;
use crate::keys::HubKey;
use crate::store::{Row, Statement, Store, StoreError};
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;
use std::path::Path;

/// A signed statement about one record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::audit) struct Checkpoint {
    pub(in crate::audit) seq: i64,
    pub(in crate::audit) hash: String,
    /// Microseconds since 1970.
    pub(in crate::audit) at: i64,
    pub(in crate::audit) key_id: String,
    /// Ed25519, hex.
    pub(in crate::audit) signature: String,
}

impl Checkpoint {
    pub(in crate::audit) fn sign(head: &Head, at: i64, key: &HubKey) -> Self {
        let text = signed_text(head.seq, &head.hash, at);
        Self {
            seq: head.seq,
            hash: head.hash.clone(),
            at,
            key_id: key.key_id.clone(),
            signature: hex::encode(key.pair.sign(text.as_bytes())),
        }
    }

    /// Whether the owner of `public_key` (32 bytes) signed this.
    pub(in crate::audit) fn is_signed_by(&self, public_key: &[u8]) -> bool {
        let text = signed_text(self.seq, &self.hash, self.at);
        hex::decode(&self.signature).is_ok_and(|signature| {
            UnparsedPublicKey::new(&ED25519, public_key)
                .verify(text.as_bytes(), &signature)
                .is_ok()
        })
    }

    /// Replaces the row; an older checkpoint never replaces a newer one.
    pub(in crate::audit) fn upsert(&self) -> Statement {
        let sql = "INSERT INTO audit_checkpoint (id, seq, hash, at, key_id, signature) \
                   VALUES (1, $1, $2, $3, $4, $5) \
                   ON CONFLICT (id) DO UPDATE SET seq = excluded.seq, hash = excluded.hash, \
                   at = excluded.at, key_id = excluded.key_id, signature = excluded.signature \
                   WHERE audit_checkpoint.seq <= excluded.seq";
        Statement::new(sql)
            .bind(self.seq)
            .bind(self.hash.as_str())
            .bind(self.at)
            .bind(self.key_id.as_str())
            .bind(self.signature.as_str())
    }

    /// The row; `None` when nothing was ever recorded.
    pub(in crate::audit) async fn load(store: &Store) -> Result<Option<Self>, StoreError> {
        let sql = "SELECT seq, hash, at, key_id, signature FROM audit_checkpoint WHERE id = 1";
        let rows = store.read(Statement::new(sql)).await?;
        rows.first().map(Self::of_row).transpose()
    }

    fn of_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            seq: row.integer("seq")?,
            hash: row.text("hash")?.to_owned(),
            at: row.integer("at")?,
            key_id: row.text("key_id")?.to_owned(),
            signature: row.text("signature")?.to_owned(),
        })
    }

    /// The file; `None` when there is none.
    pub(in crate::audit) async fn read(path: &Path) -> Result<Option<Self>, AuditError> {
        let bytes = match tokio::fs::read(path).await {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(AuditError::File(error)),
        };
        let parsed = serde_json::from_slice(&bytes);
        parsed
            .map(Some)
            .map_err(|error| AuditError::File(error.into()))
    }

    /// Replaces the file in one step.
    pub(in crate::audit) async fn save(&self, path: &Path) -> std::io::Result<()> {
        let beside = path.with_extension("new");
        tokio::fs::write(&beside, serde_json::to_vec(self)?).await?;
        tokio::fs::rename(&beside, path).await
    }
}

fn signed_text(seq: i64, hash: &str, at: i64) -> String {
    format!("waygate-audit-checkpoint\n{seq}\n{hash}\n{at}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_checkpoint_stands_for_what_was_signed_only() {
        let (key, other) = (HubKey::generate().unwrap(), HubKey::generate().unwrap());
        let head = Head {
            seq: 3,
            hash: "ab".into(),
        };
        let good = Checkpoint::sign(&head, 5, &key);
        assert!(good.is_signed_by(key.public_key()));
        assert!(!good.is_signed_by(other.public_key()));
        let changes: [fn(&mut Checkpoint); 4] = [
            |c| c.seq = 4,
            |c| c.hash.push('0'),
            |c| c.at = 6,
            |c| c.signature.replace_range(0..4, "zzzz"),
        ];
        for change in changes {
            let mut changed = good.clone();
            change(&mut changed);
            assert!(!changed.is_signed_by(key.public_key()));
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.checkpoint");
        assert_eq!(Checkpoint::read(&path).await.unwrap(), None);
        good.save(&path).await.unwrap();
        assert_eq!(Checkpoint::read(&path).await.unwrap(), Some(good));
        tokio::fs::write(&path, "nonsense").await.unwrap();
        assert!(Checkpoint::read(&path).await.is_err());
    }
}
