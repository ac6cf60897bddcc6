//! The sockets of a channel. They keep the bounds of packets (`SOCK_SEQPACKET`), so that descriptors
//! belong to the packet that they came with, and a packet is sent whole or not at all.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net;

use bytes::Bytes;
use parking_lot::Mutex;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, Shutdown, SocketFlags, SocketType,
    recvmsg, sendmsg, socketpair,
};
use tokio::io::Interest;
use tokio::net::UnixDatagram;

use super::frame::PACKET_BYTES;

/// The most descriptors that the system takes apart for us. A packet has one at most.
const DESCRIPTORS: usize = 2;

/// The daemon's end.
#[derive(Debug)]
pub(super) struct Socket {
    /// tokio has no name for sockets of packets with a connection. These are read and written here by
    /// calls of our own.
    socket: UnixDatagram,
    buffer: Mutex<Vec<u8>>,
}

/// What was received.
#[derive(Debug)]
pub(super) struct Packet {
    pub(super) bytes: Bytes,
    pub(super) body: Option<OwnedFd>,
}

impl Socket {
    /// An end, and the other end, for a process. Reads of the process wait.
    pub(super) fn pair() -> io::Result<(Self, OwnedFd)> {
        let (unix, packets) = (AddressFamily::UNIX, SocketType::SEQPACKET);
        let (ours, theirs) = socketpair(unix, packets, SocketFlags::CLOEXEC, None)?;
        let ours = net::UnixDatagram::from(ours);
        ours.set_nonblocking(true)?;
        let socket = UnixDatagram::from_std(ours)?;
        let buffer = Mutex::new(vec![0; PACKET_BYTES]);
        Ok((Self { socket, buffer }, theirs))
    }

    /// The next packet; `None` when the other end is closed.
    pub(super) async fn receive(&self) -> io::Result<Option<Packet>> {
        let receive = || self.try_receive();
        self.socket.async_io(Interest::READABLE, receive).await
    }

    fn try_receive(&self) -> io::Result<Option<Packet>> {
        let mut buffer = self.buffer.lock();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let parts = &mut [IoSliceMut::new(&mut buffer)];
        let received = recvmsg(&self.socket, parts, &mut control, RecvFlags::CMSG_CLOEXEC)?;
        let mut descriptors = Vec::new();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(files) = message {
                descriptors.extend(files);
            }
        }
        let cut = ReturnFlags::TRUNC | ReturnFlags::CTRUNC;
        if received.flags.intersects(cut) || descriptors.len() > 1 {
            return Err(io::Error::other(
                "a packet with too many bytes or descriptors, or no descriptor is left here (ulimit -n)",
            ));
        }
        if received.bytes == 0 && descriptors.is_empty() {
            return Ok(None);
        }
        let bytes = Bytes::copy_from_slice(&buffer[..received.bytes]);
        let body = descriptors.pop();
        Ok(Some(Packet { bytes, body }))
    }

    /// Closes the channel at both ends.
    pub(super) fn shut(&self) {
        // An end that is closed already needs nothing.
        let _ = rustix::net::shutdown(&self.socket, Shutdown::Both);
    }

    /// Sends a packet of these parts.
    pub(super) async fn send(&self, parts: &[Bytes], body: Option<&OwnedFd>) -> io::Result<()> {
        let send = || self.try_send(parts, body);
        self.socket.async_io(Interest::WRITABLE, send).await
    }

    fn try_send(&self, parts: &[Bytes], body: Option<&OwnedFd>) -> io::Result<()> {
        let parts: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let files = body.map(AsFd::as_fd);
        if let Some(files) = &files {
            // There is room for one.
            control.push(SendAncillaryMessage::ScmRights(std::slice::from_ref(files)));
        }
        sendmsg(&self.socket, &parts, &mut control, SendFlags::NOSIGNAL)?;
        Ok(())
    }
}
