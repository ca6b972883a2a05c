//! What is counted apart from what.

use fabrica_crds::session;

/// What a pod is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    Terminal,
    Chat,
    Run,
}

impl Mode {
    pub const ALL: [Self; 3] = [Self::Terminal, Self::Chat, Self::Run];

    /// As a label has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Terminal => "Terminal",
            Self::Chat => "Chat",
            Self::Run => "Run",
        }
    }

    /// The label.
    pub(super) const fn label(self) -> (&'static str, &'static str) {
        ("mode", self.as_str())
    }
}

impl From<session::Mode> for Mode {
    fn from(mode: session::Mode) -> Self {
        match mode {
            session::Mode::Terminal => Self::Terminal,
            session::Mode::Chat => Self::Chat,
        }
    }
}
