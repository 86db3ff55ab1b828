//! What can go wrong below, and what of it the gateway can tell apart.

use gateway::StoreError;
use rusqlite::ErrorCode;

use crate::row::Damaged;

/// Why a piece of work in the database failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// SQLite said so.
    #[error("{0}")]
    Sqlite(#[from] rusqlite::Error),
    /// SQLite gave the transaction up without saying why.
    #[error("the transaction was rolled back")]
    RolledBack,
    /// A row holds what no version of this program writes.
    #[error("{0} cannot be read")]
    Unreadable(&'static str),
}

impl From<Damaged> for Fault {
    fn from(_: Damaged) -> Fault {
        Fault::Unreadable("a stored bar")
    }
}

impl Fault {
    /// As the gateway hears it.
    pub(crate) fn told(&self) -> StoreError {
        match self {
            Fault::RolledBack => StoreError::ReadOnly(self.to_string()),
            Fault::Unreadable(_) => StoreError::Unusable(self.to_string()),
            Fault::Sqlite(error) => match error.sqlite_error_code() {
                Some(
                    ErrorCode::DiskFull
                    | ErrorCode::ReadOnly
                    | ErrorCode::SystemIoFailure
                    | ErrorCode::CannotOpen
                    | ErrorCode::PermissionDenied
                    | ErrorCode::DatabaseBusy
                    | ErrorCode::DatabaseLocked
                    | ErrorCode::FileLockingProtocolFailed
                    | ErrorCode::OutOfMemory,
                ) => StoreError::ReadOnly(error.to_string()),
                _ => StoreError::Unusable(error.to_string()),
            },
        }
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> StoreError {
        fault.told()
    }
}
