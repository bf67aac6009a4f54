//! Sources and receivers for programs on [tokio](::tokio).

use crate::{Frame, FrameMut, PublishError, Receiver, Source, Timeout, WaitError};
use futures_core::Stream;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A receiver whose frames can be awaited. As a [`Stream`] it ends with the stream, and after an
/// error.
///
/// A frame is awaited by the descriptor of [`Receiver::event_fd`], for which a thread waits. To
/// stop, drop the future: [`Receiver::cancel`] is for threads that block.
#[derive(Debug)]
pub struct AsyncReceiver {
    polled: AsyncFd<Polled<Receiver>>,
    over: bool,
}

/// A source whose frames can be awaited, as those of [`AsyncReceiver`].
#[derive(Debug)]
pub struct AsyncSource {
    polled: AsyncFd<Polled<Source>>,
}

/// Has the descriptor already, so that asking for it cannot fail.
#[derive(Debug)]
struct Polled<T> {
    end: T,
    fd: RawFd,
}

impl<T> Polled<T> {
    /// Registers a source or receiver, whose own descriptor this is, with the runtime.
    fn register(end: T, fd: RawFd) -> io::Result<AsyncFd<Self>> {
        let polled = Self { end, fd };
        // SAFETY: a source or receiver makes its descriptor once and closes it when it is dropped,
        // and `end` is dropped or moved out only after it was deregistered. `fd` never changes.
        let registered = unsafe { AsyncFd::register_with_interest(polled, Interest::READABLE) };
        registered.map_err(io::Error::from)
    }
}

impl<T> AsRawFd for Polled<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.fd
    }
}

impl Receiver {
    /// The receiver for a tokio runtime with I/O enabled, within which this is called.
    ///
    /// # Errors
    /// The system has no descriptor or thread left.
    ///
    /// # Panics
    /// Outside of such a runtime.
    pub fn into_async(self) -> io::Result<AsyncReceiver> {
        let fd = self.event_fd().map_err(io::Error::other)?.as_raw_fd();
        Ok(AsyncReceiver { polled: Polled::register(self, fd)?, over: false })
    }
}

impl Source {
    /// The source for a tokio runtime with I/O enabled, within which this is called.
    ///
    /// # Errors
    /// The system has no descriptor or thread left.
    ///
    /// # Panics
    /// Outside of such a runtime.
    pub fn into_async(self) -> io::Result<AsyncSource> {
        let fd = self.event_fd().map_err(io::Error::other)?.as_raw_fd();
        Ok(AsyncSource { polled: Polled::register(self, fd)? })
    }
}

impl AsyncReceiver {
    /// The next frame; `None` once the stream has ended and every frame was received. Several tasks
    /// may wait at the same time; each frame goes to one. Nothing is lost if the future is dropped.
    ///
    /// # Errors
    /// As [`Receiver::recv`], but for the timeout.
    pub async fn next(&self) -> Result<Option<Frame>, WaitError> {
        loop {
            let mut ready = self.polled.readable().await.map_err(no_runtime)?;
            match self.polled.get_ref().end.recv(Duration::ZERO) {
                Err(error) if error.is_timeout() => ready.clear_ready(),
                received => return received,
            }
        }
    }

    /// The receiver.
    #[must_use]
    pub fn get_ref(&self) -> &Receiver {
        &self.polled.get_ref().end
    }

    /// The receiver, for threads that block.
    #[must_use]
    pub fn into_inner(self) -> Receiver {
        self.polled.into_inner().end
    }
}

impl Stream for AsyncReceiver {
    type Item = Result<Frame, WaitError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        while !self.over {
            let mut ready = ready!(self.polled.poll_read_ready(context)).map_err(no_runtime)?;
            match self.polled.get_ref().end.recv(Duration::ZERO) {
                Err(error) if error.is_timeout() => ready.clear_ready(),
                received => {
                    drop(ready);
                    self.over = !matches!(received, Ok(Some(_)));
                    return Poll::Ready(received.transpose());
                }
            }
        }
        Poll::Ready(None)
    }
}

impl AsyncSource {
    /// A frame to fill. Waits until it could be published at once, too. Nothing is lost if the
    /// future is dropped.
    ///
    /// # Errors
    /// As [`Source::frame`], but for the timeout.
    pub async fn frame(&self) -> Result<FrameMut, WaitError> {
        loop {
            let mut ready = self.polled.readable().await.map_err(no_runtime)?;
            match self.polled.get_ref().end.frame(Duration::ZERO) {
                Err(error) if error.is_timeout() => ready.clear_ready(),
                taken => return taken,
            }
        }
    }

    /// The source.
    #[must_use]
    pub fn get_ref(&self) -> &Source {
        &self.polled.get_ref().end
    }

    /// The source, for threads that block.
    #[must_use]
    pub fn into_inner(self) -> Source {
        self.polled.into_inner().end
    }
}

impl FrameMut {
    /// As [`publish`](Self::publish), for tasks: where receivers have to make room, a thread of the
    /// runtime's pool waits for that. If the future is dropped then, the frame is still published.
    ///
    /// # Errors
    /// The frame comes back with the reason.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn publish_async(self) -> Result<(), PublishError> {
        match self.publish_within(Duration::ZERO) {
            Err(PublishError { frame, reason }) if reason.is_timeout() => {
                let publish = move || frame.publish_within(Timeout::Default);
                match tokio::task::spawn_blocking(publish).await {
                    Ok(published) => published,
                    Err(error) => std::panic::resume_unwind(error.into_panic()),
                }
            }
            published => published,
        }
    }
}

fn no_runtime(error: io::Error) -> WaitError {
    WaitError::System(format!("waiting for the descriptor: {error}"))
}
