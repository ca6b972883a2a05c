//! How clients come to a terminal and leave it, and who of them may type. No I/O.

use fabrica_protocol::kterm::{Attach, AttachRole, ErrorCode, SnapshotReason};

use super::client::Attachment;
use super::events::What;
use super::reference::ATTACH;
use super::size::Size;
use super::state::{State, Terminal};
use super::window::Window;

impl State {
    /// An ATTACH that a client sends by itself: it may take sole control, or give its own up. Nobody ends another's by
    /// looking at a terminal: who wants it back takes it, and then gives it up.
    pub(super) fn attach_as(&mut self, connection: u32, id: u16, attach: &Attach) {
        let Some(client) = self.clients.get(&connection) else { return };
        let name = client.client_id.clone();
        if client.control
            && let Some(terminal) = self.terminals.get_mut(&id)
        {
            match attach.role {
                AttachRole::View => {}
                AttachRole::Control => {
                    terminal.alone.take_if(|alone| *alone == name);
                }
                AttachRole::Alone => {
                    let former = terminal.alone.replace(name);
                    self.take_over(connection, id, former.as_deref());
                }
            }
        }
        self.attach(connection, id, attach, false);
        // WELCOME told what was taken until then; what came since, while nothing was attached, was never confirmed.
        if let Some(attachment) = self.attachment(connection, id) {
            attachment.input_acked = 0;
        }
    }

    /// Whoever else might type becomes a viewer, and hears of it, as does who had sole control and looks elsewhere.
    fn take_over(&mut self, connection: u32, id: u16, former: Option<&str>) {
        let others = self.clients.iter_mut().filter(|(other, _)| **other != connection);
        let typing = others.filter_map(|(other, client)| {
            let held = former == Some(client.client_id.as_str());
            let attachment = client.attachments.get_mut(&id);
            let typed = attachment.is_some_and(|it| !std::mem::replace(&mut it.view, true));
            (held || typed).then_some(*other)
        });
        for other in typing.collect::<Vec<_>>() {
            self.barred(other, id, ATTACH, ErrorCode::TakenOver);
        }
    }

    /// Resumes exactly when the ring still has what the client misses, else begins afresh. `quietly` says that no person
    /// came just now.
    pub(super) fn attach(&mut self, connection: u32, id: u16, attach: &Attach, quietly: bool) {
        let Some(terminal) = self.terminals.get(&id) else {
            return self.missing(connection, id, ATTACH);
        };
        let Some(client) = self.clients.get_mut(&connection) else { return };
        let (head, tail) = (terminal.ring.head(), terminal.ring.tail());
        let have = attach.have.filter(|_| attach.epoch == self.epoch);
        let exact = have.filter(|have| (tail..=head).contains(have));
        let wanted = tail.max(head.saturating_sub(attach.history.into()));
        let reason = if have.is_some() { SnapshotReason::Overrun } else { SnapshotReason::Attach };
        let wanted = wanted.max(terminal.history.oldest());
        let cursor = exact.unwrap_or_else(|| terminal.ring.line_start(wanted));
        let wants = client.control && attach.role != AttachRole::View;
        let taken = wants && terminal.is_anothers(&client.client_id);
        let attachment = Attachment {
            cursor,
            acked: cursor,
            window: Window::new(client.caps.window),
            late_since: None,
            progress: None,
            view: !wants || taken,
            size: Size::new(attach.cols, attach.rows),
            replay_until: head,
            snapshot_due: exact.is_none().then_some(reason),
            resized_due: false,
            input_acked: terminal.input.offsets(&client.client_id).1,
            exit_sent: false,
        };
        let view = attachment.view;
        let size = attachment.size.filter(|_| !view);
        client.attachments.insert(id, attachment);
        client.activity.remove(&id);
        client.wake.notify_one();
        terminal.wake.notify_one();
        if let Some(size) = size
            && (!quietly || self.may_return_to_size(connection, id))
        {
            self.resize(connection, id, size);
        } else if let Some(attachment) = self.attachment(connection, id) {
            // One who takes the size as it is has to know it.
            attachment.resized_due = attachment.snapshot_due.is_none();
            self.fit(id);
        }
        self.tell(connection, Some(id), What::Attached { view });
        if taken {
            self.barred(connection, id, ATTACH, ErrorCode::TakenOver);
        }
    }

    pub(super) fn detach(&mut self, connection: u32, id: u16) {
        if let Some(client) = self.clients.get_mut(&connection) {
            client.attachments.remove(&id);
        }
        if let Some(terminal) = self.terminals.get(&id) {
            terminal.wake.notify_one();
        }
        self.fit(id);
    }

    /// Why a client may not do to a terminal what only those who type may.
    pub(super) fn bar(&self, connection: u32, id: u16, reference: u32) -> Option<ErrorCode> {
        let client = self.clients.get(&connection)?;
        let taken = self.terminals.get(&id).is_some_and(|it| it.is_anothers(&client.client_id));
        if client.control && taken {
            return Some(ErrorCode::TakenOver);
        }
        let watches = client.attachments.get(&id).is_some_and(|attached| attached.view);
        let is_read_only = !client.control || watches || self.lacks_program(id, reference);
        is_read_only.then_some(ErrorCode::ReadOnly)
    }

    /// Tells a client why it may not.
    pub(super) fn barred(&mut self, connection: u32, id: u16, reference: u32, code: ErrorCode) {
        let control = self.clients.get(&connection).is_some_and(|client| client.control);
        let text = match code {
            ErrorCode::TakenOver => "Another client has sole control of this terminal.",
            _ if self.lacks_program(id, reference) => {
                "This is the agent's terminal: it shows what the agent runs, and nobody types there."
            }
            _ if control => "You only watch this terminal: attach to it to type.",
            _ => "You may only watch: typing needs the right to create sessions/terminal.",
        };
        self.error(connection, id, reference, code, text);
    }
}

impl Terminal {
    /// Whether another client than this one has sole control.
    fn is_anothers(&self, client: &str) -> bool {
        self.alone.as_ref().is_some_and(|alone| alone != client)
    }
}
