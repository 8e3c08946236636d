//! Prints on stdout from a thread of its own: a stdout without a reader holds nothing else up.

use std::io::{self, Write as _};
use std::thread;

use tokio::sync::oneshot;

/// Prints lines. The answer tells how that ended; it never comes if stdout blocks for ever.
pub(super) fn print(text: String) -> oneshot::Receiver<io::Result<()>> {
    let (tell, printed) = oneshot::channel();
    let print = move || {
        let mut out = io::stdout().lock();
        let result = writeln!(out, "{text}").and_then(|()| out.flush());
        // The caller may not want to know.
        let _ = tell.send(result);
    };
    // Without a thread `tell` is dropped, which is an answer too.
    drop(thread::Builder::new().name("stdout".to_owned()).spawn(print));
    printed
}
