//! Signals that whoever started us had us ignore or hold back. Shells and agents would inherit that: nothing would stop a
//! program that was started in one.

/// Lets the default hold for every signal, as if we were the first of all processes. Before anybody listens to any.
#[expect(unsafe_code, reason = "no safe call says what is done with a signal")]
pub fn heed() {
    for signal in 1..=libc::SIGRTMAX() {
        // SAFETY: plain system calls. A null pointer changes nothing, and a zeroed action is one.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            let is_known = libc::sigaction(signal, std::ptr::null(), &raw mut action) == 0;
            // That a pipe is broken is told by its error; the standard library sees to it, for children too.
            let is_ours = signal == libc::SIGPIPE;
            if is_known && action.sa_sigaction == libc::SIG_IGN && !is_ours {
                libc::signal(signal, libc::SIG_DFL);
            }
        }
    }
    // SAFETY: plain system calls on a set of our own.
    unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}
