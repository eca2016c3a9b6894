//! The archive: one evidence bundle per paid purchase, one file per receipt of a purchase that this
//! wallet does not know.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use apdu_spec::value::{PaymentId, RequestId};
use minicbor::bytes::ByteVec;
use protocol::bundle::{BUNDLE_ENDING, Bundle, Stage};
use protocol::field::Number;
use protocol::form;

use crate::purchase::{Progress, Received};

/// The folder of the archive.
#[derive(Clone, Debug)]
pub struct Archive {
    folder: PathBuf,
}

impl Archive {
    /// Uses a folder of mode 0700, made where it is missing.
    ///
    /// # Errors
    /// The system's.
    pub fn open(folder: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// Where a purchase's bundle stands, once it is paid.
    #[must_use]
    pub fn bundle_path(&self, purchase: RequestId) -> PathBuf {
        self.folder.join(format!("{purchase}.{BUNDLE_ENDING}"))
    }

    /// Writes the bundle of a purchase that is paid; of others there is none yet.
    ///
    /// # Errors
    /// The system's.
    pub fn keep(&self, progress: &Progress) -> io::Result<()> {
        match bundle(progress) {
            Some(bundle) => {
                let path = self.bundle_path(progress.ordering().request);
                self.write(&path, &form::encode(&bundle))
            }
            None => Ok(()),
        }
    }

    /// Writes a receipt whose purchase this wallet does not know.
    ///
    /// # Errors
    /// The system's.
    pub fn keep_receipt(&self, payment: PaymentId, receipt: &[u8]) -> io::Result<()> {
        let path = self.folder.join(format!("{payment}.receipt"));
        self.write(&path, receipt)
    }

    /// Replaces a file as a whole: after a power cut there is the old one or the new one.
    fn write(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let unfinished = path.with_extension("unfinished");
        let mut options = OpenOptions::new();
        let options = options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&unfinished)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&unfinished, path)?;
        File::open(&self.folder)?.sync_all()
    }
}

/// The evidence of a purchase, from its receipt on.
#[must_use]
pub fn bundle(progress: &Progress) -> Option<Bundle> {
    let completed = match progress {
        Progress::Completed(completed) => Some(completed),
        Progress::Ordering(_)
        | Progress::Introduced(_)
        | Progress::Ordered(_)
        | Progress::Invoiced(_)
        | Progress::Requested(_)
        | Progress::Permitted(_)
        | Progress::Debited(_)
        | Progress::Received(_) => None,
    };
    let Received { debited, receipt, lists } = progress.received()?;
    let permitted = &debited.permitted;
    let requested = &permitted.requested;
    let ordered = &requested.invoiced.ordered;
    let order = ordered.message();
    let bytes = |bytes: &[u8]| ByteVec::from(bytes.to_vec());
    Some(Bundle {
        number: Number,
        order_request: order.request,
        order: order.record,
        card_chain: order.chain,
        lines: order.lines,
        invoice: bytes(requested.invoiced.invoice.bytes()),
        request: bytes(requested.request.bytes()),
        permit: bytes(permitted.permit.bytes()),
        debit: bytes(debited.debit.as_ref()?.bytes()),
        receipt: bytes(receipt.bytes()),
        completion: completed.map(|completed| bytes(completed.completion.bytes())),
        lists: lists.clone(),
        stage: match completed {
            Some(_) => Stage::Complete,
            None => Stage::Paid,
        },
    })
}
